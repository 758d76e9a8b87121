/* Writes one artifact from an opened source: plan, methods, writer, proof (loaded back, every tensor decoded and
 * compared with what the method meant), commit. Nothing appears under the final name before the proof. */
#ifndef QZ_PRODUCE_PRODUCE_H
#define QZ_PRODUCE_PRODUCE_H
#include "artifacts/artifact.h"
#include "base/table.h"
#include "calibrate/kv_ranges.h"
#include "calibrate/stats.h"
#include "formats/imatrix.h"
#include "report/output_error.h"
#include "produce/recipe.h"
#include "produce/sharing.h"
#include "artifacts/source.h"

/* Importance vectors by HF tensor name: from a statistics file or from an importance matrix file. */
typedef struct {
    const qz_stats *stats;             /* NULL: none */
    const qz_windows *windows;         /* calibration tokens, for AWQ's compat mode and for propagation; NULL: none */
    qz_kv_ranges kv;                   /* of their keys and values, for scales of a cache; k NULL: none */
    const char *data_sha;              /* of their file */
    const char *accepted;              /* findings about the data that --accept let pass; NULL: none */
    qz_imatrix *imatrix;               /* wins over stats for GGUF types */
} qz_importance;

typedef struct {
    const qz_recipe *recipe;
    bool force, resume;
    bool own_stats;                     /* statistics that the job has made beside the output are in
                                         * use; else what stands there is a rest */
    bool rehearse, rehearse_calibrated; /* dry run: hashes and calibration are not there yet, their space is */
    const char *source_dir, *stats_file; /* NULL: none */
    const char *proof_data;             /* file whose text the proof runs: evaluation or
                                         * calibration; NULL: a bundled text */
    const char *imatrix_file, *imatrix_dataset, *imatrix_sha, *imatrix_accepted;
    uint32_t imatrix_entries, imatrix_chunks;
} qz_produce_options;

typedef struct {
    char *path;                        /* owned */
    uint64_t bytes;
    size_t parts;                      /* files of a split GGUF artifact; 0: one file or a folder */
    size_t carried;                    /* keys of a GGUF source that stay as they are */
    double bits_per_weight, seconds, weight_mse;
    size_t fallbacks, other_types;     /* tensors not coded as asked for; of these: in another type */
    size_t dropped;                    /* stored tensors of the source that nothing uses, taken with --accept */
    qz_config_keys keys;               /* of its configuration: what was not read */
    uint64_t flushed;                  /* values other than 0 that became 0 in float16 */
    size_t ignored_keys;               /* keys of its configuration that would make another model, likewise */
    size_t importance_tensors, importance_covered; /* tensors whose bytes depend on importance,
                                                    * and those that have some */
    qz_output_error output_error;      /* of each linear that was coded in this run, and of all */
    char *accepted;                    /* owned; findings about the calibration data that --accept let pass, or NULL */
    char *block_text, *block_json;     /* owned; errors of FP4 blocks (block_errors.h), or NULL */
    qz_sharing sharing;                /* what shared scales cost */
    char *importance_json;             /* owned; what was found, missing and repaired, or NULL */
    char *summary, *summary_json;      /* owned; "N of M weights in k bits …; kept: …" */
    size_t uncorrected, norms_kept;    /* linears and norms whose correction could not be computed */
    qz_kv_scales kv;                   /* of an FP8 cache, that the artifact holds */
    char note[400];                    /* summary of the codes' search */
    uint64_t planned_memory;           /* at most; 0: not planned */
    bool finished;                     /* --resume found it finished: nothing was done */
    double self_kl; size_t self_tokens; /* KL of the proof's short text; -1: not measured */
    char proof_text[320];              /* which text: "of 'calibration.jsonl'" */
    bool not_run;                      /* a family that nothing here runs: no text was run, proof_text says it */
    char greedy[160];                  /* first greedy text of the proof */
} qz_produced;
void qz_produced_release(qz_produced *p);

/* Takes the writer's count of values that became 0 in float16, and says it. */
void qz_produced_flushed(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_writer *w, qz_produced *p);
/* Fills the two texts of p. */
qz_status qz_produced_summarize(const qz_artifact_plan *plan, qz_produced *p, qz_error *err);

/* plan: made by the caller with qz_produce_plan. */
qz_status qz_produce_plan(qz_run *run, const qz_source *s, const qz_importance *imp, const qz_produce_options *o,
                          qz_arena *arena, qz_artifact_plan *plan, qz_error *err);
typedef struct {
    const qz_source *source;
    const qz_artifact_plan *plan;
    const qz_importance *imp;
    const qz_produce_options *options;
    const char *path;
} qz_produce_job;
qz_status qz_produce(qz_run *run, const qz_produce_job *job, qz_produced *out, qz_error *err);
/* --resume where the output exists: this job's own, whole output sets out->finished (path too), is tidied up and said;
 * another one is refused without o->force, in words. */
qz_status qz_produce_before(qz_run *run, const qz_artifact_plan *plan, const qz_produce_options *o, const char *path,
                            qz_produced *out, qz_error *err);
void qz_produced_finished_line(const qz_produced *p, const char *scheme, qz_str *out);
/* The method of the recipe's scheme, or the one beside it where that lacks what it needs. */
const qz_method *qz_produce_method(const qz_recipe *recipe, const qz_importance *imp);
#define QZ_PROGRAM_BYTES ((uint64_t)20 << 20) /* resident in any job: code, libraries, allocator slack */
#define QZ_PER_TOKEN_BYTES ((uint64_t)1200)  /* vocabulary and merges, in the source and again in the proof */
/* Resident bytes of writing the plan at most (the mapped source and artifact included); made_stats: the calibration
 * pass ran in this process. Printed beside the measured peak. */
uint64_t qz_produce_memory(const qz_source *s, const qz_artifact_plan *plan, const qz_importance *imp,
                           const qz_recipe *recipe, bool made_stats);
/* Importance of a tensor's input columns, made usable (importance.h), or NULL: [cols] in the arena. */
qz_status qz_importance_get(const qz_importance *imp, const qz_artifact_item *item, qz_arena *arena, const float **out,
                            qz_error *err);
/* Prints the plan as a table (dry run). */
qz_status qz_plan_table(const qz_artifact_plan *plan, qz_arena *arena, qz_table *t, qz_error *err);
#endif
