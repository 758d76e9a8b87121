/* Inside of the verb check: what is read of an input, and the groups of checks that add findings.
 * qz_check_open fills the job; each qz_check_* reads its part of the files and judges through deploy/check.h. */
#ifndef QZ_DEPLOY_CHECK_JOB_H
#define QZ_DEPLOY_CHECK_JOB_H
#include <jansson.h>
#include "deploy/preflight_scheme.h"
#include "deploy/check.h"
#include "plan/machine.h"
#include "plan/operand.h"
#include "text/tokenizer.h"

/* What was asked; strings are borrowed, NULL: not asked. */
typedef struct {
    qz_target_options target;
    const char *to, *workload, *hardware, *hardware_file, *memory, *ram, *dtype, *contexts, *users;
    const char *data, *traffic, *text, *tasks, *report, *note, *lora;
    const char *against;        /* source that the scales are compared with */
    bool deep, quick;           /* quick: no hashes */
    double reserve;                 /* percent; -1: by hardware and engine */
} qz_check_options;

typedef struct {
    qz_run *run;
    qz_check_options o;
    qz_arena arena;
    qz_findings f;
    const char *path;
    bool alone;                 /* no model: a report or a note is judged by itself */
    bool folder, gguf;          /* neither: a config.json or a built-in shape */
    json_t *root;               /* config.json, NULL for GGUF and built-in shapes */
    const char *config;         /* its path */
    json_t *manifest;           /* of the artifact, or NULL */
    qz_operand operand;         /* as it was opened */
    qz_shape *shape;            /* the operand's */
    const char *dtype;
    qz_deploy_shape deploy;
    qz_deploy_spec spec, wanted;
    qz_scheme_spec scheme;      /* --to */
    bool has_wanted, unwritten;     /* unwritten: a format that this program does not write */
    uint64_t weight_files;      /* bytes of the weight files */
    qz_model *model;            /* opened, or NULL */
    const char *foreign;        /* GGUF of an architecture that is none of ours: its name; then there is no shape */
    uint64_t foreign_cols;      /* its widest row */
    qz_tokenizer *tokenizer;
    qz_target target;
    qz_machine machine;
    const qz_hardware *card;    /* of --hardware or --memory, or NULL; set before: as it is */
    uint64_t system_bytes;      /* --ram: layers that the card does not hold may lie there; 0: none */
    qz_check_facts facts;
} qz_check_job;

/* What is to be served: what --to makes of it, else what is stored. */
const qz_deploy_spec *qz_check_served(const qz_check_job *j);
/* Locates the input; config, shape and scheme. Refused input fails here (exit 2). */
qz_status qz_check_open(qz_check_job *j, qz_error *err);
void qz_check_release(qz_check_job *j);
/* Index, tokenizer, template, ids, twins of the configuration, manifest, adapter. */
qz_status qz_check_files(qz_check_job *j, qz_error *err);
/* Opens the weights: structure, scales, finite values, float16 range, precision of embeddings and norms. Bounded
 * unless --deep. */
qz_status qz_check_tensors(qz_check_job *j, qz_error *err);
/* Adds to the shape what the opened model holds of fused sets, and their scales. */
qz_status qz_check_stored_shape(qz_check_job *j, qz_error *err);
/* Folders whose format this program does not read (FP8, compressed-tensors, MXFP4 …): headers, shards, and the scales
 * as far as they are plain floats. why: they are not opened, "" or ": …"; NULL: what decodes is looked at besides. */
qz_status qz_check_headers(qz_check_job *j, const char *why, qz_error *err);
/* What 'convert --repair' mends (faults.h); measure: decodes the faulty weights and says the error. */
qz_status qz_check_faults(qz_check_job *j, bool measure, qz_error *err);
/* GGUF of an architecture that is none of ours: what needs no architecture, and what was left out. */
qz_status qz_check_raw(qz_check_job *j, qz_error *err);
/* Scales and values of the opened model m: all of them with --deep, else a sample. */
qz_status qz_check_scan(qz_check_job *j, const qz_model *m, qz_error *err);
/* What decodes of a folder whose family does not run here; codes under their settings, and what is wrong with these. */
qz_status qz_check_raw_values(qz_check_job *j, qz_error *err);
/* Adds the first block scale of t that its type cannot have. */
bool qz_check_bad_scale(qz_check_job *j, const qz_tensor_view *t);
/* Scales against their neighbours, or against the source (check_scales.c); values that are read without --deep, and
 * tensors that are named. */
enum { QZ_CHECK_VALUES = 4 << 20, QZ_CHECK_SCALES_SAID = 8 };
qz_status qz_check_scales(qz_check_job *j, qz_error *err);
/* --calib, --traffic, --text, --tasks, --report, --note. */
qz_status qz_check_data(qz_check_job *j, qz_error *err);
/* What config.json of a folder, or such a file, says: as written (the caller decrefs it), its quantization, and the
 * type of its floats ("": not said; borrowed of root). */
qz_status qz_check_config(const char *path, qz_arena *arena, json_t **root, qz_deploy_spec *spec, const char **dtype,
                          qz_error *err);
/* Target, machine and what is to be made of it, from the options alone. */
qz_status qz_check_target(qz_check_job *j, qz_error *err);
/* Facts of an input whose shape, dtype and spec are set. */
qz_status qz_check_settle(qz_check_job *j, qz_error *err);
/* The spec of a checkpoint of which nothing is known but how it was released ("": in floats). */
void qz_check_stored(const char *released, qz_deploy_spec *out);
/* Memory, pitfalls of the deployment and rules of the engine, from shape, spec and options alone; fills facts. */
qz_status qz_check_judge(qz_check_job *j, qz_error *err);
#endif
