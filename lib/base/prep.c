/* Parsing rn.resize: accepted is what would be printed. */
#include "base/prep.h"

#include <stdio.h>
#include <string.h>

bool rn_resize_parse(const char *text, int *shorter, int *crop)
{
    char again[32];
    *shorter = *crop = 0;
    if (!strcmp(text, "squash"))
        return true;
    if (sscanf(text, "short=%5d,crop=%5d", shorter, crop) != 2)
        return false;
    snprintf(again, sizeof(again), "short=%d,crop=%d", *shorter, *crop);
    return !strcmp(text, again) && *shorter > 0 && *shorter <= RN_SIDE_MAX && *crop > 0 &&
           *crop <= RN_SIDE_MAX;
}
