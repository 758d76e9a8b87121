/* What decides an artifact's bytes besides its source, its data and an importance matrix: scheme, search, settings of
 * integer codes, how calibration data become windows, names. Made once from a verb's request; nothing below reads the
 * request for it. qz_recipe c; qz_recipe_make(r, "awq:w4g64", &arena, &c, err); qz_recipe_json(&c, true, &text) is
 * what the artifact records, and --config reads it back (cli/config_file.h): equal recipes, sources and data give
 * equal bytes.
 * Ownership: texts are the request's, rules live in the arena. Errors: QZ_EUSAGE naming option and value. */
#ifndef QZ_PRODUCE_RECIPE_H
#define QZ_PRODUCE_RECIPE_H
#include "artifacts/artifact.h"
#include "artifacts/provenance.h"
#include "artifacts/scheme.h"
#include "base/arena.h"
#include "base/str.h"
#include "calibrate/stats.h"
#include "methods/method.h"
#include "produce/request.h"
#include "text/dataset.h"

typedef struct {
    bool used;                  /* the artifact is made with calibration data, or with statistics of them */
    bool raw;                   /* without the chat template */
    bool route_all;             /* every expert's statistics are of all tokens */
    qz_window_options windows;
} qz_recipe_calibration;

typedef struct {
    qz_scheme_spec spec;
    qz_method_options codes;    /* search for all; the rest for integer codes */
    qz_recipe_calibration calibration;
    const char *name, *pre, *accept; /* NULL: not given */
    bool fast;                  /* --effort; what it leaves out stands in codes and calibration */
    bool requantize;
    const char *reserve, *split_size, *split_tensors; /* files of a GGUF artifact, as asked; NULL: not */
    bool keep_split;
    const char *with;           /* what decides bytes, too, and must be given again:
                                 * "calibration", "imatrix"; NULL: nothing */
    bool convert, lossy;        /* made by convert */
} qz_recipe;

/* r NULL: defaults (of a verb that writes nothing). Rules for single modules are refused where the scheme cannot
 * hold them. */
qz_status qz_recipe_make(const qz_request *r, const char *to, qz_arena *arena, qz_recipe *out, qz_error *err);
/* Calibration windows at most: as asked, with --effort fast no more than 32. */
size_t qz_recipe_samples(const qz_request *r);
/* How the request turns calibration data into windows. */
qz_status qz_recipe_windows(const qz_request *r, qz_recipe_calibration *out, qz_error *err);
/* Windows as the statistics were made from. */
void qz_recipe_of_stats(qz_recipe *c, const qz_stats_info *info);
/* One JSON object: keys are the options' names, only those that matter to the scheme. cut: also how the artifact is
 * cut into files. */
void qz_recipe_json(const qz_recipe *c, bool cut, qz_str *out);
/* The same as a line of provenance; the text lives in the arena. Parts are in the manifest's alone: merged parts are
 * the file written whole, byte by byte, so their keys are the same. */
qz_status qz_recipe_record(const qz_recipe *c, qz_arena *arena, qz_provenance *out, qz_error *err);

/* Whether the codes need the tokens themselves, and statistics of the float model. False for schemes
 * without such codes. */
bool qz_recipe_needs_tokens(const qz_recipe *c);
bool qz_recipe_needs_stats(const qz_recipe *c);
/* Damping that every linear got, or 0: decided for each. */
double qz_recipe_damp(const qz_recipe *c);
/* The method that its scheme names for its search. */
const qz_method *qz_recipe_method(const qz_recipe *c);
#endif
