/* How fast the reference could be: multiply-adds that wait for nothing but themselves. */
#include "kernels/ref/ref.h"

#include <math.h>

enum { CHAINS = 8 };

double rn_peak_ref(size_t rounds)
{
    volatile float half = 0.5F; /* each reading is unknown: no two chains are merged into one */
    float chain[CHAINS], h = half;
    for (int i = 0; i < CHAINS; i++)
        chain[i] = half;
    for (size_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            chain[i] = fmaf(chain[i], h, h);
    for (int i = 0; i < CHAINS; i++)
        half = chain[i];
    return 2.0 * CHAINS * (double)rounds;
}
