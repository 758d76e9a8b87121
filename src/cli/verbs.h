/* The table of verbs: every verb_<name>.c defines its row, this header declares them from verbs.def. */
#ifndef QZ_CLI_VERBS_H
#define QZ_CLI_VERBS_H
#include "cli/options.h"

#define QZ_VERB(id) extern const qz_verb qz_verb_##id;
#include "pipeline/verbs.def"
#undef QZ_VERB

#define QZ_OPTIONS(rows) .options = rows, .n_options = sizeof rows / sizeof rows[0]
#define QZ_AT(field) offsetof(qz_request, field)
#endif
