/* Levenshtein's distance by one row of the table. */
#include <string.h>

#include "rn.h"

enum { WORD_MAX = 128 };

static int least(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

int rn_edit_distance(const char *a, const char *b)
{
    int row[WORD_MAX + 1], n = (int)strnlen(b, WORD_MAX);

    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 0; a[i] && i < WORD_MAX; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < n; j++) {
            int cost = least(row[j + 1] + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = row[j + 1];
            row[j + 1] = cost;
        }
    }
    return row[n];
}
