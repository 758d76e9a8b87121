/* Findings about calibration data that --accept let pass, as one line that travels from the statistics file into
 * everything made of it: "CAL-DUP (127 of 128 samples equal); CAL-RANK (21 distinct rows < 768 columns)".
 * qz_str s = {0}; qz_accepted_add(&s, code, told); …; for (qz_accepted x; qz_accepted_next(&at, &x);) … */
#ifndef QZ_TEXT_ACCEPTED_H
#define QZ_TEXT_ACCEPTED_H
#include "base/arena.h"
#include "base/str.h"
#include <stdint.h>

/* Under which it stands in provenance, and behind "quantz." in GGUF files. */
#define QZ_ACCEPTED_KEY "calibration_accepted"

typedef struct {
    char code[24];
    char finding[200];   /* cut if longer */
    uint64_t count;      /* the number that the finding begins with, else 0 */
} qz_accepted;

void qz_accepted_add(qz_str *list, const char *code, const char *finding);
/* The next entry behind *at (moved on). False at the end, and where the text is none of ours. NULL is an empty list. */
bool qz_accepted_next(const char **at, qz_accepted *out);
bool qz_accepted_has(const char *list, const char *code);
/* Entries of a and those of b whose codes a lacks, in the arena; either may be NULL. "": none; NULL: out of memory. */
const char *qz_accepted_join(qz_arena *arena, const char *a, const char *b);
/* [{"code":"CAL-DUP","count":127,"finding":"127 of 128 samples equal"}, …] */
void qz_accepted_json(const char *list, qz_str *out);
#endif
