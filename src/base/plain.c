#include "base/plain.h"
#include <stdbool.h>
#include <string.h>

static const struct { const char *name, *bytes, *cure; size_t offset, n; } magics[] = {
#define QZ_MAGIC(name, offset, bytes, cure) {name, bytes, cure, offset, sizeof bytes - 1},
#include "base/plain.def"
#undef QZ_MAGIC
};

static bool is_text(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 && !strchr("\t\n\v\f\r\x1b", s[i])) return false;
    return memchr(s, 0, n) == NULL;
}

/* A text may begin with "GGUF": letters alone are a magic only in front of control characters. */
const char *qz_magic_name(const char *text, size_t len, const char **cure) {
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (len < magics[i].offset + magics[i].n || memcmp(text + magics[i].offset, magics[i].bytes, magics[i].n) != 0)
            continue;
        bool words = is_text(magics[i].bytes, magics[i].n) && (unsigned char)magics[i].bytes[0] < 0x80 &&
                     magics[i].n < 20;
        if (words && is_text(text, len < 4096 ? len : 4096)) continue;
        *cure = magics[i].cure;
        return magics[i].name;
    }
    return NULL;
}

size_t qz_text_mark(const char *text, size_t len) { return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; }
