/* UTF-8 and the few character classes the tokenizers need. Pure functions over bytes.
 * Classes follow the reference's engines (formats/tokenizer-json.md sections 2, 4 and 7). */
#ifndef QZ_BASE_UTF8_H
#define QZ_BASE_UTF8_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define QZ_UTF8_BAD 0xffffffffu /* not the start of a sequence, or broken off by a wrong byte */
#define QZ_UTF8_CUT 0xfffffffeu /* a correct beginning, but the text ends here */
/* Reads one character of s[0..n), n >= 1, and returns the bytes it takes (for BAD and CUT: the maximal subpart that one
 * U+FFFD stands for). */
size_t qz_utf8_step(const char *s, size_t n, uint32_t *cp);
size_t qz_utf8_put(uint32_t cp, char out[4]);
void qz_utf8_append(qz_str *s, uint32_t cp);
bool qz_utf8_valid(const char *s, size_t n);
/* Appends s with U+FFFD for every invalid subpart. */
void qz_utf8_lossy(const char *s, size_t n, qz_str *out);
/* Number of characters (bytes that are no continuation). */
size_t qz_utf8_count(const char *s, size_t n);
bool qz_utf8_is_space(uint32_t cp); /* White_Space: 25 code points */
bool qz_utf8_is_word(uint32_t cp);  /* \w of the Rust regex crate */
bool qz_utf8_is_mark(uint32_t cp);  /* general category M */
#endif
