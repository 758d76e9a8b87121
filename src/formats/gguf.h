/* GGUF containers: hardened mapped reader (versions 2 and 3, little endian) with typed metadata, and a streaming,
 * resumable writer (version 3). Bytes only: knows no model.
 * Read:  qz_gguf g; qz_gguf_open(&g, path, err); qz_gguf_u64(&g, "llama.block_count", true, &v, err); g.tensors[0..n);
 *        qz_gguf_release(&g).
 * Write: qz_gguf_meta m = {0}; qz_gguf_put_str(&m, "general.architecture", …); …; qz_gguf_writer w;
 *        qz_gguf_writer_open(&w, path, &m, items, n, err); qz_gguf_writer_write the data of every item in order;
 *        qz_gguf_writer_commit(&w, sha, err); qz_gguf_meta_release(&m).
 *        Resume: qz_gguf_writer_resume at an item boundary.
 * Split models: qz_gguf_open takes any part (NAME-00002-of-00005.gguf) and opens all: keys are those of the first
 *        part, tensors those of all, part after part. A part that is missing, renamed, doubled or of another model is
 *        QZ_EFORMAT naming it. qz_gguf_open_part opens one file and nothing else.
 * Ownership: keys, strings and tensors are views into the mapping or the arena of the qz_gguf.
 * Errors: QZ_EFORMAT with file and offset, QZ_EUNSUPPORTED for versions and types. Source:
 * formats/gguf-container.md. */
#ifndef QZ_FORMATS_GGUF_H
#define QZ_FORMATS_GGUF_H
#include "base/arena.h"
#include "base/map.h"
#include "base/out.h"
#include "base/str.h"

typedef enum {
    QZ_GGUF_U8 = 0, QZ_GGUF_I8, QZ_GGUF_U16, QZ_GGUF_I16, QZ_GGUF_U32, QZ_GGUF_I32, QZ_GGUF_F32, QZ_GGUF_BOOL,
    QZ_GGUF_STR, QZ_GGUF_ARR, QZ_GGUF_U64, QZ_GGUF_I64, QZ_GGUF_F64, QZ_GGUF_KIND_COUNT
} qz_gguf_kind;
const char *qz_gguf_kind_name(qz_gguf_kind k);

/* A tensor type of the container; NULL if the number is unknown or removed. */
typedef struct { const char *name; uint32_t id, elems, bytes; } qz_gguf_type;
const qz_gguf_type *qz_gguf_type_get(uint32_t id);
const qz_gguf_type *qz_gguf_type_by_name(const char *name); /* case-insensitive */

#define QZ_GGUF_ALIGNMENT 32u
#define QZ_GGUF_ALIGNMENT_KEY "general.alignment"
#define QZ_GGUF_MAX_DIMS 4

typedef struct {
    const char *key;
    qz_gguf_kind kind, elem; /* elem: kind of an array's elements */
    uint64_t count;          /* elements of an array; 1 otherwise */
    const uint8_t *data;     /* first byte of the value; for strings and arrays the bytes behind the counts */
    uint64_t bytes;          /* of data */
} qz_gguf_kv;

typedef struct { const char *ptr; size_t n; } qz_gguf_text; /* not NUL terminated */

typedef struct {
    const char *name;
    const qz_gguf_type *type;
    uint32_t n_dims;
    uint64_t dims[QZ_GGUF_MAX_DIMS]; /* fastest first; missing ones are 1 */
    uint64_t elems, bytes;
    uint64_t offset;                 /* from the start of its file */
    const uint8_t *data;
    const char *file;                /* that holds it */
    size_t part;                     /* its number among the parts, from 0 */
} qz_gguf_tensor;

typedef struct qz_gguf {
    qz_map map;
    const char *path;
    uint32_t version, alignment;
    qz_gguf_kv *kv; size_t n_kv;
    qz_gguf_tensor *tensors; size_t n;   /* in the order of the header */
    uint32_t *by_name;
    uint64_t kv_end;                     /* of the file: behind the last entry */
    uint64_t data_start, data_end;       /* of the file; data_end = end of the last tensor without padding */
    bool packed;                         /* offsets follow the reference's running sum */
    bool short_padding;                  /* the last tensor's padding is missing */
    uint64_t trailing;                   /* bytes after the padded data */
    uint64_t file_bytes;                 /* of all parts */
    struct qz_gguf *more; size_t n_more; /* parts behind the first */
    qz_arena arena;
} qz_gguf;

qz_status qz_gguf_open(qz_gguf *g, const char *path, qz_error *err);
qz_status qz_gguf_open_part(qz_gguf *g, const char *path, qz_error *err);
qz_status qz_gguf_open_memory(qz_gguf *g, const void *bytes, size_t n, const char *name, qz_error *err);
void qz_gguf_release(qz_gguf *g);

#define QZ_GGUF_MAX_PARTS 65535u
#define QZ_GGUF_SPLIT_NO "split.no"
#define QZ_GGUF_SPLIT_COUNT "split.count"
#define QZ_GGUF_SPLIT_TENSORS "split.tensors.count"
/* Path of part `no` (from 0) of `count` of the model that `path` names: its first or any part, "NAME.gguf" or "NAME",
 * with or without ".partial" behind it. Owned by the caller (qz_free); NULL when out of memory. */
char *qz_gguf_part_path(const char *path, size_t no, size_t count);
/* false if the name is not one of a part. */
bool qz_gguf_part_named(const char *path, size_t *no, size_t *count);

const qz_gguf_kv *qz_gguf_key(const qz_gguf *g, const char *key);
const qz_gguf_tensor *qz_gguf_find(const qz_gguf *g, const char *name);
/* Scalars. Missing: QZ_EFORMAT if required, else *out keeps its value and QZ_OK. Integers of any width are accepted
 * when the value fits and is not negative; f32 and f64 for f64. */
/* An integer of any width and sign; false for other kinds and what 64 bits with a sign cannot hold. */
bool qz_gguf_i64(const qz_gguf_kv *kv, int64_t *out);
qz_status qz_gguf_u64(const qz_gguf *g, const char *key, bool required, uint64_t *out, qz_error *err);
qz_status qz_gguf_f64(const qz_gguf *g, const char *key, bool required, double *out, qz_error *err);
qz_status qz_gguf_bool(const qz_gguf *g, const char *key, bool required, bool *out, qz_error *err);
qz_status qz_gguf_str(const qz_gguf *g, const char *key, bool required, qz_gguf_text *out, qz_error *err);
/* Array of strings as views (arena of the caller); *n = 0 if absent and not required. */
qz_status qz_gguf_strings(const qz_gguf *g, const char *key, bool required, qz_arena *a, qz_gguf_text **out, size_t *n,
                          qz_error *err);
/* Array of one scalar kind (width 1, 2, 4, 8 bytes): *data unaligned, little endian; NULL if absent and
 * not required. */
qz_status qz_gguf_array(const qz_gguf *g, const char *key, qz_gguf_kind elem, bool required, const uint8_t **data,
                        size_t *n, qz_error *err);
/* Integer number i of an integer scalar or array (head counts may be either). QZ_EFORMAT if negative or absent. */
qz_status qz_gguf_u64_at(const qz_gguf *g, const char *key, size_t i, uint64_t *out, qz_error *err);

/* ---- metadata of a file to be written, in order. Appends never fail on the spot: check m.bytes.failed once. ---- */
/* alignment: of the file; 0 is 32. Whoever puts general.alignment sets it. */
typedef struct { qz_str bytes; uint64_t n; uint32_t alignment; } qz_gguf_meta;
void qz_gguf_meta_release(qz_gguf_meta *m);
void qz_gguf_put_u16(qz_gguf_meta *m, const char *key, uint16_t v);
void qz_gguf_put_u32(qz_gguf_meta *m, const char *key, uint32_t v);
void qz_gguf_put_i32(qz_gguf_meta *m, const char *key, int32_t v);
void qz_gguf_put_u64(qz_gguf_meta *m, const char *key, uint64_t v);
void qz_gguf_put_f32(qz_gguf_meta *m, const char *key, float v);
void qz_gguf_put_bool(qz_gguf_meta *m, const char *key, bool v);
void qz_gguf_put_str(qz_gguf_meta *m, const char *key, const char *s);
void qz_gguf_put_text(qz_gguf_meta *m, const char *key, const char *s, size_t n);
void qz_gguf_put_strings(qz_gguf_meta *m, const char *key, const qz_gguf_text *v, size_t n);
void qz_gguf_put_u32s(qz_gguf_meta *m, const char *key, const uint32_t *v, size_t n);
void qz_gguf_put_i32s(qz_gguf_meta *m, const char *key, const int32_t *v, size_t n);
void qz_gguf_put_u8s(qz_gguf_meta *m, const char *key, const uint8_t *v, size_t n);
void qz_gguf_put_bools(qz_gguf_meta *m, const char *key, const uint8_t *v, size_t n); /* 0 or 1 */
void qz_gguf_put_f32s(qz_gguf_meta *m, const char *key, const float *v, size_t n);
/* Copies an entry of another file unchanged. */
void qz_gguf_put_kv(qz_gguf_meta *m, const qz_gguf_kv *kv);

typedef struct {
    const char *name;
    uint32_t type;                   /* container type number */
    uint32_t n_dims;
    uint64_t dims[QZ_GGUF_MAX_DIMS]; /* fastest first */
} qz_gguf_item;

/* Bytes of a tensor. QZ_EUSAGE: unknown type, row not a multiple of the block, overflow. */
qz_status qz_gguf_item_bytes(const qz_gguf_item *t, uint64_t *bytes, qz_error *err);
/* Exact size of the file that a writer will make. */
qz_status qz_gguf_file_size(const qz_gguf_meta *m, const qz_gguf_item *items, size_t n, uint64_t *size, qz_error *err);

typedef struct {
    qz_out out;
    uint64_t *starts, *ends;         /* [n] absolute, ends without padding */
    uint64_t data_start;
    uint32_t alignment;
    size_t n, next;
} qz_gguf_writer;
qz_status qz_gguf_writer_open(qz_gguf_writer *w, const char *path, const qz_gguf_meta *m, const qz_gguf_item *items,
                              size_t n, qz_error *err);
/* Continues PATH.partial whose first `done` tensors are complete; QZ_EUSAGE if its header is of another plan. */
qz_status qz_gguf_writer_resume(qz_gguf_writer *w, const char *path, const qz_gguf_meta *m, const qz_gguf_item *items,
                                size_t n, size_t done, qz_error *err);
/* *yes: the file begins with the header of this plan. */
qz_status qz_gguf_begins(const char *path, const qz_gguf_meta *m, const qz_gguf_item *items, size_t n, bool *yes,
                         qz_error *err);
/* Bytes of the current tensor in any pieces; padding follows by itself. */
qz_status qz_gguf_writer_write(qz_gguf_writer *w, const void *bytes, size_t n, qz_error *err);
uint64_t qz_gguf_writer_left(const qz_gguf_writer *w);
/* close: PATH.partial is whole and on disk; commit: and has its name. */
qz_status qz_gguf_writer_close(qz_gguf_writer *w, char sha_hex[65], qz_error *err);
qz_status qz_gguf_writer_commit(qz_gguf_writer *w, char sha_hex[65], qz_error *err);
void qz_gguf_writer_abort(qz_gguf_writer *w, bool keep_partial);
/* PATH.partial with these entries and the tensors of open files as they are; the caller gives it its name. */
qz_status qz_gguf_copy(const char *path, const qz_gguf_meta *m, const qz_gguf_tensor *const *tensors, size_t n,
                       char sha_hex[65], qz_error *err);
/* g as it would be with `head` (data_start bytes, kept by the caller) in place of its header; g stays open. */
qz_status qz_gguf_open_edited(qz_gguf *edited, const qz_gguf *g, const uint8_t *head, qz_error *err);
#endif
