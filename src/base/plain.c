#include "base/plain.h"
#include <string.h>

static const struct { const char *name, *bytes, *cure; size_t offset, n; } magics[] = {
#define QZ_MAGIC(name, offset, bytes, cure) {name, bytes, cure, offset, sizeof bytes - 1},
#include "base/plain.def"
#undef QZ_MAGIC
};

const char *qz_magic_name(const char *text, size_t len, const char **cure) {
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (len < magics[i].offset + magics[i].n || memcmp(text + magics[i].offset, magics[i].bytes, magics[i].n) != 0) continue;
        *cure = magics[i].cure;
        return magics[i].name;
    }
    return NULL;
}

size_t qz_text_mark(const char *text, size_t len) { return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; }
