/* The sum over the rows of a matrix; as in bn.c, CV vectors of columns go down together. */
#include "kernels/vec/vec.h"

enum { CV = 4 };

/* V vectors of columns; the last one (the only one, if it is short) has n lanes. */
TEMPLATE void down(float *sum, const float *x, size_t ld, size_t rows, const size_t V, size_t n)
{
    vf s[CV] = { 0 };
    for (size_t r = 0; r < rows; r++, x += ld) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            s[v] += vload_n(x + v * VL, n);
    }
    UNROLL
    for (size_t v = 0; v < V; v++)
        vstore_n(sum + v * VL, s[v], n);
}

void RN_ISA(rn_colsum)(float *sum, const float *x, size_t ld, size_t rows, size_t C)
{
    size_t c = 0;
    for (; c + CV * VL <= C; c += CV * VL)
        down(sum + c, x + c, ld, rows, CV, VL);
    for (; c < C; c += VL)
        down(sum + c, x + c, ld, rows, 1, lanes(C - c));
}
