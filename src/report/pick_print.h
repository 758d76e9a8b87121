/* The answer of pick as terminal text, as one Markdown page and as JSON. Appends to strings. */
#ifndef QZ_REPORT_PICK_PRINT_H
#define QZ_REPORT_PICK_PRINT_H
#include "base/str.h"
#include "deploy/pick.h"

typedef struct {
    const char *input;              /* as given */
    const qz_shape *shape;
    const qz_hardware *hardware;
    bool shape_only;                /* input is a built-in shape: there is no folder to quantize */
    bool measured;                  /* bytes of a file, not an estimate from its format */
    const qz_pick_answer *answer;
} qz_pick_page;

/* Is it written by this program, for this family? BF16 is there already. */
bool qz_pick_writes(const qz_pick_page *p, qz_level level);
/* What to do next, in order: commands (command: true), and a sentence where this program has none. */
typedef void qz_pick_next_fn(void *arg, bool command, const char *text);
void qz_pick_next(const qz_pick_page *p, qz_pick_next_fn *each, void *arg);
void qz_pick_text(const qz_pick_page *p, qz_str *s);
void qz_pick_markdown(const qz_pick_page *p, qz_str *s);
void qz_pick_json(const qz_pick_page *p, qz_str *s);
#endif
