#include "formats/strange.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/size.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool all_zero(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return n > 0;
}
static bool is_text(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x20 && !isspace(p[i])) return false;
    return n >= 8;
}

qz_status qz_strange(const void *bytes, size_t n, const char *path, const char *expected, qz_error *err) {
    const unsigned char *p = bytes;
    const char *cure = NULL, *found = NULL;
    if (n >= 4 && memcmp(p, "GGUF", 4) == 0) {
        if (strstr(expected, "GGUF")) return QZ_OK;
        found = "a GGUF file", cure = "give the GGUF file by itself, not as part of a folder";
    } else if (qz_is_page(p, n)) found = QZ_PAGE_NAME, cure = QZ_PAGE_CURE;
    else found = qz_magic_name((const char *)p, n, &cure);
    if (!found && n >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && p[2])
        found = "a Python pickle", cure = "pickles can run code and are not read: save it as safetensors";
    if (found && strcmp(found, "zip") == 0) found = "zip (a PyTorch file is one)", cure = "save it as safetensors";
    if (!found && all_zero(p, qz_min_size(n, 4096)))
        found = "zero bytes", cure = "the download did not complete: download the file again";
    if (!found && is_text(p, qz_min_size(n, 512))) found = "text", cure = "download the file itself";
    return found ? qz_fail(err, QZ_EFORMAT, "wrong content: file '%s', offset 0: expected %s, found %s; %s", path,
                           expected, found, cure)
                 : QZ_OK;
}
