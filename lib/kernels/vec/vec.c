/* What this folder gives to the table; a kernel that is not named keeps the slot below it. */
#include "kernels/vec/vec.h"

void RN_ISA(rn_vec)(struct rn_kernels *k);

void RN_ISA(rn_vec)(struct rn_kernels *k)
{
    k->igemm_mr = MR;
    k->igemm_nr = NR;
    k->igemm = RN_ISA(rn_igemm);
    k->igemm_sparse = RN_ISA(rn_igemm_sparse);
    k->group_nr = VL;
    k->group = RN_ISA(rn_group);
    k->group_grad = RN_ISA(rn_group_grad);
    k->outer_mr = MR;
    k->outer_nr = NR;
    k->outer = RN_ISA(rn_outer);
    k->outer_narrow_mr = MR_NARROW;
    k->outer_narrow_nr = VL;
    k->outer_narrow = RN_ISA(rn_outer_narrow);
    k->gemm = RN_ISA(rn_gemm);
    k->cut = RN_ISA(rn_cut);
    k->relu = RN_ISA(rn_relu);
    k->add = RN_ISA(rn_add);
    k->relu_grad = RN_ISA(rn_relu_grad);
    k->affine = RN_ISA(rn_affine);
    k->bn_sums = RN_ISA(rn_bn_sums);
    k->bn_grad_sums = RN_ISA(rn_bn_grad_sums);
    k->bn_grad = RN_ISA(rn_bn_grad);
    k->maxpool = RN_ISA(rn_maxpool);
    k->colsum = RN_ISA(rn_colsum);
    k->wino2 =
        (struct rn_wino){ RN_ISA(rn_wino2_input), RN_ISA(rn_wino2_filter), RN_ISA(rn_wino2_output),
                          RN_ISA(rn_wino2_output_grad), RN_ISA(rn_wino2_filter_grad) };
    k->wino3 =
        (struct rn_wino){ RN_ISA(rn_wino3_input), RN_ISA(rn_wino3_filter), RN_ISA(rn_wino3_output),
                          RN_ISA(rn_wino3_output_grad), RN_ISA(rn_wino3_filter_grad) };
    k->wino4 =
        (struct rn_wino){ RN_ISA(rn_wino4_input), RN_ISA(rn_wino4_filter), RN_ISA(rn_wino4_output),
                          RN_ISA(rn_wino4_output_grad), RN_ISA(rn_wino4_filter_grad) };
    k->sgd = RN_ISA(rn_sgd);
    k->peak = RN_ISA(rn_peak);
    k->read = RN_ISA(rn_read);
}
