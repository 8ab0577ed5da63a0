/* Philox4x32-10: ten rounds of two 32x32 -> 64 bit products turn a counter and a key into 128
 * random bits (Salmon et al. 2011, section 3.3 and table 2). */
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { ROUNDS = 10 };

static void philox(uint32_t x[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t k0 = key[0], k1 = key[1];
    memcpy(x, counter, 4 * sizeof *x);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t a = (uint64_t)x[0] * 0xD2511F53, b = (uint64_t)x[2] * 0xCD9E8D57;
        uint32_t y[4] = { (uint32_t)(b >> 32) ^ x[1] ^ k0, (uint32_t)b,
                          (uint32_t)(a >> 32) ^ x[3] ^ k1, (uint32_t)a };
        memcpy(x, y, sizeof y);
        k0 += 0x9E3779B9; /* the golden ratio */
        k1 += 0xBB67AE85; /* sqrt(3) - 1 */
    }
}

void rn_rng_init(struct rn_rng *r, uint64_t seed, enum rn_purpose purpose, uint32_t epoch,
                 uint64_t sample)
{
    assert(epoch < 1u << 24);
    *r = (struct rn_rng){
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .counter = { 0, (uint32_t)purpose << 24 | epoch, (uint32_t)sample,
                     (uint32_t)(sample >> 32) },
    };
}

uint32_t rn_rng_u32(struct rn_rng *r)
{
    if (!r->left) {
        philox(r->word, r->counter, r->key);
        r->counter[0]++;
        r->left = 4;
    }
    return r->word[4 - r->left--];
}

/* The high half of word * n; the words whose low half falls in the first 2^32 mod n would make some
 * values likelier, and are thrown again (Lemire 2019). */
uint32_t rn_rng_below(struct rn_rng *r, uint32_t n)
{
    assert(n > 0);
    uint32_t uneven = -n % n;
    uint64_t product;
    do {
        product = (uint64_t)rn_rng_u32(r) * n;
    } while ((uint32_t)product < uneven);
    return (uint32_t)(product >> 32);
}

double rn_rng_uniform(struct rn_rng *r)
{
    return rn_rng_u32(r) * 0x1p-32;
}

double rn_rng_normal(struct rn_rng *r)
{
    double u = 1 - rn_rng_uniform(r); /* (0, 1] */
    double v = rn_rng_uniform(r);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}
