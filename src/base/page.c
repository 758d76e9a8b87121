#include "base/page.h"
#include "base/plain.h"
#include <ctype.h>

bool qz_is_page(const void *text, size_t n) {
    const char *s = text;
    size_t i = qz_text_mark(s, n);
    while (i < n && isspace((unsigned char)s[i])) i++;
    return i + 1 < n && s[i] == '<' && (s[i + 1] == '!' || s[i + 1] == '?' || isalpha((unsigned char)s[i + 1]));
}
