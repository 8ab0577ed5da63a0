/* Any text as a spec: refused with a sentence, or printed as text that means the same. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "model/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct rn_spec *s)
{
    struct rn_spec again;
    char text[512], twice[512];
    if (rn_spec_print(s, text, sizeof(text)))
        return; /* too long */
    if (rn_spec_parse(&again, text) || rn_spec_print(&again, twice, sizeof(twice)) ||
        strcmp(text, twice))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    if (!text)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    struct rn_spec s;
    rn_fail(0, "%s", "");
    if (!rn_spec_parse(&s, text))
        check(&s);
    else if (!*rn_error())
        abort();
    free(text);
    return 0;
}
