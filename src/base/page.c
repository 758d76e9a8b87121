#include "base/page.h"
#include "base/plain.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static size_t first_letter(const char *s, size_t n) {
    size_t i = qz_text_mark(s, n);
    while (i < n && isspace((unsigned char)s[i])) i++;
    return i;
}

bool qz_is_page(const void *text, size_t n) {
    const char *s = text;
    const size_t i = first_letter(s, n);
    return i + 1 < n && s[i] == '<' && (s[i + 1] == '!' || s[i + 1] == '?' || isalpha((unsigned char)s[i + 1]));
}

bool qz_is_document(const void *text, size_t n) {
    static const char *const begins[] = {"<!doctype", "<?xml", "<html", "<head", "<body", "<error"};
    const char *s = text;
    const size_t i = first_letter(s, n);
    for (size_t k = 0; k < sizeof begins / sizeof begins[0]; k++) {
        const size_t len = strlen(begins[k]);
        if (n - i > len && strncasecmp(s + i, begins[k], len) == 0 && !isalnum((unsigned char)s[i + len])) return true;
    }
    return false;
}
