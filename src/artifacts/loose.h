/* A checkpoint of any family as named tensors: for quantization without data, from names and shapes alone. Such a
 * model has no blocks, no embedding and no head; m->loose is set and nothing here runs it. m->tensors are its floats of
 * one or two dimensions and the single matrices of experts that are stored in one tensor; every other tensor is carried
 * over byte for byte. What is coded and what stays, and why, is a table (loose_names.def).
 * Read: qz_loose_open(run, dir, &m, err) for a source; for an artifact run->loose and qz_artifact_open.
 * Plan: qz_loose_items in the place of the family's own list (folder.c).
 * Ownership: all in the model's arena and mapping. Errors: QZ_EUNSUPPORTED for what is quantized already, QZ_EFORMAT of
 * the container. */
#ifndef QZ_ARTIFACTS_LOOSE_H
#define QZ_ARTIFACTS_LOOSE_H
#include "artifacts/folder.h"
#include "base/hash.h"
#include "model/steps.h"

/* Why a tensor stays: a row of loose_names.def. listed: servers take it for a linear; misfit: of an item. */
typedef struct qz_loose_rule {
    const char *pattern, *what, *one;
    bool listed, misfit;
    const char *why;
} qz_loose_rule;
typedef enum {
#define QZ_LOOSE_CASE(id, ...) QZ_LOOSE_##id,
#include "artifacts/loose_names.def"
#undef QZ_LOOSE_CASE
    QZ_LOOSE_CASES
} qz_loose_case;
const qz_loose_rule *qz_loose_rule_of(qz_loose_case c);
/* By its name and shape; NULL: a linear, or experts that qz_loose_stack_of judges. */
const qz_loose_rule *qz_loose_judge(const qz_st_tensor *t);

/* One of a layer's expert tensors. */
typedef enum { QZ_PART_GATE_UP, QZ_PART_GATE, QZ_PART_UP, QZ_PART_DOWN } qz_expert_part;
typedef struct {
    qz_expert_part part;
    bool bias;
    const char *out[2];           /* linears that it becomes, out[1] NULL: one */
    size_t parent;                /* letters of its name up to and with "experts" */
} qz_loose_leaf;
bool qz_loose_leaf_of(const char *name, qz_loose_leaf *out);
/* How the experts of a layer lie: [experts, rows, cols] or (turned) [experts, cols, rows]. */
typedef struct { uint64_t experts, width, hidden; bool turned, interleaved; } qz_loose_stack;
/* hidden: of the configuration, 0: not said. NULL: *out is filled; else why it cannot be told. */
const qz_loose_rule *qz_loose_stack_of(const qz_st_dir *d, const char *name, const qz_loose_leaf *leaf, uint64_t hidden,
                                       qz_loose_stack *out);

/* A stored tensor. */
typedef struct {
    const qz_st *file;
    const qz_st_tensor *t;
    const qz_loose_rule *rule;    /* why it stays; NULL: its matrices are coded */
    size_t first, n;              /* among m->tensors; n 0: none */
    size_t parent;                /* of experts in one tensor: as in qz_loose_leaf; else 0 */
    bool bias;                    /* of experts: it goes where their matrices go */
} qz_loose_tensor;

typedef struct qz_loose {
    const char *family;           /* model_type, or the architecture */
    bool interleaved, turned;     /* by the family's row */
    uint64_t hidden;
    qz_loose_tensor *t; size_t n; /* of a source, in file order; an artifact has none */
    const qz_tensor_view **by_name; /* m->tensors */
    bool *coded;                  /* [m->n_tensors] by their names */
    size_t n_split;               /* tensors that hold experts in one and are taken apart */
} qz_loose;

/* Would the program refuse this folder for its family, and could it be opened loosely? */
bool qz_loose_wanted(const char *dir);
qz_status qz_loose_open(qz_run *run, const char *dir, qz_model **out, qz_error *err);
/* For readers of artifacts: m->loose and what config.json says to any family. */
qz_status qz_loose_begin(qz_model *m, qz_error *err);
/* Where config.json has no dtype: that of the largest matrix which stays by its name, in source and artifact alike. */
void qz_loose_settle(qz_model *m, const qz_st_dir *d);
/* Every stored tensor: name, type, shape, bytes. */
qz_status qz_loose_hash(qz_run *run, const qz_model *m, qz_sha256 *h, qz_error *err);
/* The stored tensor of that name, NULL if absent: of a source or an artifact. */


/* The next matrix that is coded by its name, from *i on (0 at first), NULL behind the last. */
const qz_tensor_view *qz_loose_next(const qz_model *m, size_t *i);
enum { QZ_LOOSE_MERGED_MOST = 3 };
/* Those that engines merge with it, itself too. */
size_t qz_loose_merged(const qz_model *m, const qz_tensor_view *t, const qz_tensor_view *out[QZ_LOOSE_MERGED_MOST]);

/* Most items of a plan. */
size_t qz_loose_most(const qz_model *m);
/* Fills the plan's items in the order of the source. QZ_EUNSUPPORTED: nothing is coded. */
qz_status qz_loose_items(const qz_folder_kind *kind, qz_artifact_plan *p, qz_arena *arena, qz_error *err);
/* Names of modules that stay float (folder.h: qz_folder_kept). */
json_t *qz_loose_kept(const qz_artifact_plan *p, bool head);
#endif
