/* safetensors containers: hardened mapped reader, checkpoint directories (one file or shards with an index) and a
 * streaming writer. Bytes only: knows no model.
 * Read:  qz_st f; qz_st_open(&f, path, err); use f.tensors[0..n) (file order) or qz_st_find; qz_st_release(&f).
 * Dir:   qz_st_dir d; qz_st_dir_open(&d, dir, err); use d.files[i].tensors; qz_st_dir_find; qz_st_dir_release(&d).
 * Write: qz_st_writer w; qz_st_writer_open(&w, path, &plan, err); qz_st_writer_write the data of
 *        every item in order; qz_st_writer_commit(&w, sha, err). Resume: qz_st_writer_resume at an item boundary.
 * Ownership: names, views and metadata live as long as the qz_st; the writer copies its plan.
 * Errors: QZ_EFORMAT names file, tensor, offset, expected, found. Source: formats/safetensors.md
 * (safetensors 0.8.0). */
#ifndef QZ_FORMATS_SAFETENSORS_H
#define QZ_FORMATS_SAFETENSORS_H
#include "base/arena.h"
#include "base/map.h"
#include "base/out.h"
#include "base/str.h"

typedef unsigned qz_st_dtype; /* a QZ_ST_… of dtypes.h */

#define QZ_ST_MAX_DIMS 8
#define QZ_ST_MAX_HEADER 100000000u /* the reference's own limit */
#define QZ_ST_MAX_TENSORS 1000000u
#define QZ_ST_MAX_NAME 1024u

const char *qz_st_dtype_name(qz_st_dtype d);
uint32_t qz_st_dtype_bits(qz_st_dtype d);
qz_st_dtype qz_st_dtype_by_name(const char *name); /* case-sensitive; QZ_ST_DTYPE_COUNT if unknown */

typedef struct {
    const char *name;
    qz_st_dtype dtype;
    uint32_t n_dims;                /* 0 = scalar */
    uint64_t dims[QZ_ST_MAX_DIMS];  /* slowest first, as in the header */
    uint64_t elems;
    const uint8_t *data;            /* into the mapping; not necessarily aligned to the element */
    uint64_t bytes;
    uint64_t offset;                /* of the data, from the start of the file */
} qz_st_tensor;

typedef struct { const char *key, *value; } qz_st_meta;

typedef struct {
    qz_map map;
    const char *path;               /* for error texts */
    qz_st_tensor *tensors;          /* in order of their data */
    size_t n;
    uint32_t *by_name;              /* [n] indices sorted by name */
    qz_st_meta *meta;
    size_t n_meta;
    uint64_t header_bytes;          /* 8 + N */
    qz_arena arena;
} qz_st;

/* Maps and checks the whole header: every byte of the data section belongs to exactly one tensor. */
qz_status qz_st_open(qz_st *st, const char *path, qz_error *err);
/* The same on bytes in memory (borrowed while st lives); name stands for the file in error texts. */
qz_status qz_st_open_memory(qz_st *st, const void *bytes, size_t n, const char *name, qz_error *err);
void qz_st_release(qz_st *st);
const qz_st_tensor *qz_st_find(const qz_st *st, const char *name);   /* NULL if absent */
const char *qz_st_metadata(const qz_st *st, const char *key);        /* NULL if absent */

/* ---- checkpoint directory ---- */
typedef struct {
    qz_st *files;                   /* sorted by name */
    size_t n_files;
    size_t n_others; const char *other; /* .safetensors files of the folder that were not
                                         * opened, and the first of them */
    uint64_t tensor_bytes;          /* all tensors of all files */
    uint64_t file_bytes;            /* all weight files, headers included */
    size_t n_tensors;
    bool sharded;
    qz_arena arena;
} qz_st_dir;

/* True if dir holds model.safetensors or its index. */
bool qz_st_dir_present(const char *dir);
/* model.safetensors if it exists, else model.safetensors.index.json and its shards, else the folder's only
 * .safetensors. Missing shards are all named in one error before anything is read; a mapped tensor must be in the shard
 * the index names and in no other. */
qz_status qz_st_dir_open(qz_st_dir *d, const char *dir, qz_error *err);
void qz_st_dir_release(qz_st_dir *d);
/* file may be NULL; NULL if absent. */
const qz_st_tensor *qz_st_dir_find(const qz_st_dir *d, const char *name, const qz_st **file);

/* ---- writer ---- */
typedef struct {
    const char *name;
    qz_st_dtype dtype;
    uint32_t n_dims;
    uint64_t dims[QZ_ST_MAX_DIMS];
} qz_st_item;

/* Bytes of an item's data. QZ_EUSAGE on overflow or a size that does not end on a byte. */
qz_status qz_st_item_bytes(const qz_st_item *item, uint64_t *bytes, qz_error *err);
/* Appends length field and header (padded with spaces so that data starts at a multiple of 8) for items laid out in the
 * order given; metadata keys are sorted. *data_bytes = size of the data section. Deterministic. */
qz_status qz_st_header(const qz_st_item *items, size_t n, const qz_st_meta *meta, size_t n_meta, qz_str *out,
                       uint64_t *data_bytes, qz_error *err);
/* Sorts items into the reference writer's order: dtype descending, then name (byte order). */
void qz_st_sort_items(qz_st_item *items, size_t n);

typedef struct {
    qz_out out;
    uint64_t *ends;                 /* [n] absolute end of each item in the file */
    uint64_t start;                 /* of the data section */
    size_t n, next;                 /* items; the one being written */
} qz_st_writer;

typedef struct { const qz_st_item *items; size_t n; const qz_st_meta *meta; size_t n_meta; } qz_st_plan;
/* Opens PATH.partial and writes the header. */
qz_status qz_st_writer_open(qz_st_writer *w, const char *path, const qz_st_plan *plan, qz_error *err);
/* Continues an existing PATH.partial whose first `done` items are complete; the header must be the same. */
qz_status qz_st_writer_resume(qz_st_writer *w, const char *path, const qz_st_plan *plan, size_t done, qz_error *err);
/* Bytes of the current item, in any pieces; the item advances when it is full. QZ_EBUG past its end. */
qz_status qz_st_writer_write(qz_st_writer *w, const void *bytes, size_t n, qz_error *err);
uint64_t qz_st_writer_left(const qz_st_writer *w); /* bytes missing of the current item, 0 when all are written */
qz_status qz_st_writer_commit(qz_st_writer *w, char sha_hex[65], qz_error *err); /* QZ_EBUG if items are missing */
void qz_st_writer_abort(qz_st_writer *w, bool keep_partial);
#endif
