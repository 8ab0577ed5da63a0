/*
 * The plain C reference of every kernel: the definition of right, written to be read.
 */
#ifndef RN_KERNELS_REF_H
#define RN_KERNELS_REF_H

#include "kernels/kernels.h"

/* Small and unlike the other steps' on purpose: the tests cut the same work at other places. */
enum { REF_IGEMM_MR = 4, REF_IGEMM_NR = 8, REF_OUTER_MR = 4, REF_OUTER_NR = 8, REF_GROUP_NR = 32 };
enum { REF_OUTER_NARROW_MR = 5, REF_OUTER_NARROW_NR = 2 };

rn_igemm_fn rn_igemm_ref;
rn_igemm_sparse_fn rn_igemm_sparse_ref;
rn_group_fn rn_group_ref;
rn_group_grad_fn rn_group_grad_ref;
rn_outer_fn rn_outer_ref;
rn_outer_narrow_fn rn_outer_narrow_ref;
rn_gemm_fn rn_gemm_ref;
rn_cut_fn rn_cut_ref;
rn_relu_fn rn_relu_ref;
rn_add_fn rn_add_ref;
rn_relu_grad_fn rn_relu_grad_ref;
rn_affine_fn rn_affine_ref;
rn_bn_sums_fn rn_bn_sums_ref;
rn_bn_grad_sums_fn rn_bn_grad_sums_ref;
rn_bn_grad_fn rn_bn_grad_ref;
rn_maxpool_fn rn_maxpool_ref;
rn_maxpool_grad_fn rn_maxpool_grad_ref;
rn_colsum_fn rn_colsum_ref;
rn_wino_input_fn rn_wino2_input_ref, rn_wino3_input_ref, rn_wino4_input_ref;
rn_wino_filter_fn rn_wino2_filter_ref, rn_wino3_filter_ref, rn_wino4_filter_ref;
rn_wino_output_fn rn_wino2_output_ref, rn_wino3_output_ref, rn_wino4_output_ref;
rn_wino_output_grad_fn rn_wino2_output_grad_ref, rn_wino3_output_grad_ref, rn_wino4_output_grad_ref;
rn_wino_filter_grad_fn rn_wino2_filter_grad_ref, rn_wino3_filter_grad_ref, rn_wino4_filter_grad_ref;
rn_sgd_fn rn_sgd_ref;
rn_peak_fn rn_peak_ref;
rn_read_fn rn_read_ref;

/* max(v, 0), except that NaN stays NaN. */
static inline float ref_relu(float v)
{
    return v <= 0 ? 0 : v;
}

/* The gradient dy that passes a ReLU whose output was y. */
static inline float ref_relu_grad(float dy, float y)
{
    return y <= 0 ? 0 : dy;
}

#endif
