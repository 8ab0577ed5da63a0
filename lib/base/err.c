/* The last error of each thread: one sentence, always one line. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static _Thread_local char sentence[RN_ERROR_SIZE];

const char *rn_error(void)
{
    return sentence;
}

/* One byte as it is shown, into out[5]. Returns the length. File names and file contents reach
 * messages, so a message must not be able to forge a second line or move the cursor. */
static size_t escape(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letter[] = "\a\b\t\n\v\f\r";
    const char *special = c ? strchr(letter, c) : NULL;
    if (special) {
        out[0] = '\\';
        out[1] = "abtnvfr"[special - letter];
        return 2;
    }
    if (c < 0x20 || c == 0x7f) {
        memcpy(out, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
        return 4;
    }
    out[0] = (char)c;
    return 1;
}

/* `raw` may come from an earlier rn_error(): the formatting is done before the store begins. */
static void keep(const char *raw)
{
    size_t n = 0;
    for (; *raw; raw++) {
        char shown[4];
        size_t k = escape(shown, (unsigned char)*raw);
        if (n + k >= sizeof sentence)
            break;
        memcpy(sentence + n, shown, k);
        n += k;
    }
    sentence[n] = '\0';
}

int rn_fail(int status, const char *fmt, ...)
{
    char raw[RN_ERROR_SIZE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    keep(raw);
    return status;
}

int rn_fail_errno(const char *fmt, ...)
{
    int error = errno;
    char raw[RN_ERROR_SIZE], text[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    return rn_fail(error == ENOMEM ? RN_EMEM : RN_EIO, "%s: %s", raw,
                   strerror_r(error, text, sizeof text));
}
