/* Added tokens: leftmost-longest search over a sorted list (formats/tokenizer-json.md section 2). Internal to text/. */
#ifndef QZ_TEXT_ADDED_H
#define QZ_TEXT_ADDED_H
#include "text/tokenizer_int.h"

/* Called for pieces between tokens (id = QZ_NO_ID) and for tokens, in order; empty pieces are left out.
 * A token with rstrip and the next token may overlap in blanks. */
typedef qz_status (*qz_piece_fn)(void *arg, const char *s, size_t n, size_t offset, uint32_t id, qz_error *err);
qz_status qz_added_split(const qz_added_set *set, const char *s, size_t n, bool parse_special, qz_piece_fn fn,
                         void *arg, qz_error *err);
/* Sorts and fills the set of first bytes. */
void qz_added_set_close(qz_added_set *set);
#endif
