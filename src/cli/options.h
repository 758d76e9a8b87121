/* Options are rows: name, letter, kind, default, range, help and the field they fill. Parsing (getopt_long), range
 * checks, --help, the man page and shell completion all come from the rows. */
#ifndef QZ_CLI_OPTIONS_H
#define QZ_CLI_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/status.h"
#include "produce/request.h"

/* bool, const char *, uint64_t, double, qz_text_list */
typedef enum { QZ_OPT_FLAG, QZ_OPT_TEXT, QZ_OPT_COUNT, QZ_OPT_REAL, QZ_OPT_LIST } qz_option_kind;
/* The same of the verbs that make or compare models. */
#define QZ_OPT_ACCEPT_LOSS \
    {"accept", 0, QZ_OPT_TEXT, offsetof(qz_request, accept), "CODES", NULL, 0, 0, \
    "drop parts, ignore keys that nothing reads (MOD-UNUSED,MOD-KEYS)"}
#define QZ_OPT_ACCEPT_OPEN \
    {"accept", 0, QZ_OPT_TEXT, offsetof(qz_request, accept), "CODES", NULL, 0, 0, \
    "open models with parts or keys that nothing reads (MOD-UNUSED,MOD-KEYS)"}
/* Row of the verbs that compute with a model; --accept of quantize, calibrate and release takes codes of the
 * data lint as well. */
#define QZ_OPT_ACCEPT_MODEL \
    {"accept", 0, QZ_OPT_TEXT, offsetof(qz_request, accept), "CODES", NULL, 0, 0, \
    "run a model with parts or keys that nothing reads (MOD-UNUSED,MOD-KEYS)"}

/* Rows of the verbs whose settings are worth keeping in a file: those that write artifacts, and the others. */
#define QZ_OPT_CONFIG {"config", 0, QZ_OPT_TEXT, offsetof(qz_request, config), "FILE", NULL, 0, 0, \
    "settings from a JSON file (keys: these options, or the names of AWQ, GPTQ and bitsandbytes), or those of an " \
    "artifact; options given here win"}
#define QZ_OPT_SETTINGS {"config", 0, QZ_OPT_TEXT, offsetof(qz_request, config), "FILE", NULL, 0, 0, \
    "settings from a JSON file whose keys are these options by their long names, for example {\"threads\": 2}; " \
    "options given here win"}

typedef struct {
    const char *name;
    char letter;            /* 0: none */
    qz_option_kind kind;
    size_t offset;          /* in qz_request */
    const char *value;      /* name of the value in --help, NULL for flags */
    const char *fallback;   /* default as text, NULL: none (0, NULL, false) */
    double min, max;        /* of counts and reals */
    const char *help;
} qz_option;

typedef struct {
    const char *name, *summary;
    const char *operands;   /* "MODEL", "ARTIFACT…" */
    size_t min_operands, max_operands;
    const char *details;    /* paragraph of --help */
    const qz_option *options; size_t n_options;
    qz_status (*run)(qz_run *run, const qz_request *r, qz_error *err);
} qz_verb;

extern const qz_option qz_common_options[];
extern const size_t qz_common_count;

/* Verbs in the order of verbs.def; NULL behind the last. */
const qz_verb *qz_verb_at(size_t i);
const qz_verb *qz_verb_find(const char *name);

/* Fills r: defaults, then the file of --config, then argv[1..]; *help is set by --help. Errors name the nearest known
 * option. Texts that are not argv's live in keep. */
qz_status qz_options_parse(const qz_verb *v, int argc, char **argv, qz_arena *keep, qz_request *r, bool *help,
                           qz_error *err);
/* verify --rederive: r->recipe, what quantize is asked for where the artifact r->operands[0] is made again. */
qz_status qz_recipe_request(qz_arena *keep, qz_request *r, qz_error *err);
/* By its name, with '-' or '_' between words; NULL: none. */
const qz_option *qz_option_find(const qz_verb *v, const char *name);
/* Of options and libraries' keys; NULL: none is so near that it can be meant. */
const char *qz_option_nearest(const qz_verb *v, const char *name);
qz_status qz_option_set(const qz_verb *v, const qz_option *o, const char *text, qz_request *r, qz_error *err);
void qz_help_program(FILE *f);
void qz_help_verb(FILE *f, const qz_verb *v);
void qz_help_man(FILE *f);                 /* man page, section 1 */
void qz_help_completion(FILE *f);          /* bash */
#endif
