/* The table of the reference kernels, which every ladder of instruction sets starts from. */
#include "kernels/ref/ref.h"

void rn_kernels_ref(struct rn_kernels *k)
{
    *k = (struct rn_kernels){
        .isa = "ref",
        .igemm_mr = REF_IGEMM_MR,
        .igemm_nr = REF_IGEMM_NR,
        .igemm = rn_igemm_ref,
        .igemm_sparse = rn_igemm_sparse_ref,
        .group_nr = REF_GROUP_NR,
        .group = rn_group_ref,
        .group_grad = rn_group_grad_ref,
        .outer_mr = REF_OUTER_MR,
        .outer_nr = REF_OUTER_NR,
        .outer = rn_outer_ref,
        .outer_narrow_mr = REF_OUTER_NARROW_MR,
        .outer_narrow_nr = REF_OUTER_NARROW_NR,
        .outer_narrow = rn_outer_narrow_ref,
        .gemm = rn_gemm_ref,
        .cut = rn_cut_ref,
        .relu = rn_relu_ref,
        .add = rn_add_ref,
        .relu_grad = rn_relu_grad_ref,
        .affine = rn_affine_ref,
        .bn_sums = rn_bn_sums_ref,
        .bn_grad_sums = rn_bn_grad_sums_ref,
        .bn_grad = rn_bn_grad_ref,
        .maxpool = rn_maxpool_ref,
        .maxpool_grad = rn_maxpool_grad_ref,
        .colsum = rn_colsum_ref,
        .wino2 = { rn_wino2_input_ref, rn_wino2_filter_ref, rn_wino2_output_ref,
                   rn_wino2_output_grad_ref, rn_wino2_filter_grad_ref },
        .wino3 = { rn_wino3_input_ref, rn_wino3_filter_ref, rn_wino3_output_ref,
                   rn_wino3_output_grad_ref, rn_wino3_filter_grad_ref },
        .wino4 = { rn_wino4_input_ref, rn_wino4_filter_ref, rn_wino4_output_ref,
                   rn_wino4_output_grad_ref, rn_wino4_filter_grad_ref },
        .sgd = rn_sgd_ref,
        .peak = rn_peak_ref,
        .read = rn_read_ref,
    };
}
