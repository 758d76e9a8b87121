/* Settings under names: of a file (--config FILE.json, or an artifact whose recipe is taken again) and under the
 * libraries' own spellings on the command line (--w_bit 4). Both fill the rows of cli/options.h; what the libraries
 * split (bits, group_size, sym …) is joined to a scheme ("gptq:w4g128+asym").
 * qz_config_file_apply before the command line, with parts of its own; qz_library_key_set for each library name of the
 * command line; qz_scheme_parts_over lays those over the file's; qz_scheme_parts_join makes r->to of what is left.
 * Errors: QZ_EUSAGE naming file, key, expected and found; an unknown key names the nearest known. Texts live
 * in the arena. */
#ifndef QZ_CLI_CONFIG_FILE_H
#define QZ_CLI_CONFIG_FILE_H
#include "base/arena.h"
#include "cli/options.h"

enum { QZ_PART_UNSET = -1, QZ_LIBRARY_KEYS = 96 };
typedef struct {
    bool given[QZ_LIBRARY_KEYS];
    const char *with;       /* a recipe's word: what the artifact was made with; NULL: none */
    const char *method, *version, *format, *code, *compute;
    long bits, group_size;  /* 0: not given */
    int zero_point, sym, desc_act, static_groups, lm_head, true_sequential, four, eight, nested; /* or QZ_PART_UNSET */
} qz_scheme_parts;

void qz_scheme_parts_init(qz_scheme_parts *p);
/* Name of the i-th library key, NULL behind the last. */
const char *qz_library_key(size_t i);
/* where: what error texts call the place ("option '--w_bit'", "file 'q.json': key 'w_bit'"). */
qz_status qz_library_key_set(const qz_verb *v, size_t i, const char *text, const char *where, qz_scheme_parts *p,
                             qz_request *r, qz_error *err);
/* Joins the parts to r->to, which may name the bare scheme. */
/* What the command line says wins; with a scheme of its own (to) nothing of the file's scheme is left. */
void qz_scheme_parts_over(qz_scheme_parts *file, const qz_scheme_parts *line, bool to);
qz_status qz_scheme_parts_join(const qz_verb *v, const qz_scheme_parts *p, qz_arena *keep, qz_request *r,
                               qz_error *err);
qz_status qz_config_file_apply(const qz_verb *v, const char *path, qz_arena *keep, qz_scheme_parts *p, qz_request *r,
                               qz_error *err);
#endif
