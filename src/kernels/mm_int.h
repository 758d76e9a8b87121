/* The workspace behind qz_mm and what the product files share. Private to kernels/. */
#ifndef QZ_KERNELS_MM_INT_H
#define QZ_KERNELS_MM_INT_H
#include "base/size.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

enum {
    QZ_KC = 512,            /* steps of k per pass: a multiple of every block of types.def */
    QZ_S_STRIDE = QZ_KC + 16, /* rows of the broadcast operand, padded off the cache's powers of two */
    QZ_MC = 516,            /* rows of the broadcast operand per pass: a multiple of every tile_rows */
    QZ_VC = 128             /* columns of one task: the packed panel stays in the second-level cache */
};

typedef struct {
    float *v;    /* [QZ_VC / tile_cols][QZ_KC][tile_cols] packed panels */
    float *rows; /* [tile_cols][QZ_S_STRIDE] decoded rows on their way into a panel */
    size_t packed;       /* exact products: pass and panel that v holds (qz_mm.passes) … */
    size_t packed_n0;
    size_t prepared;     /* packed products: the product whose activations the thread has quantized (qz_mm.products) */
    char pad[64];        /* what threads write never shares a cache line */
} qz_mm_thread;

/* Memory for packed weights: large pieces on huge pages (60 instead of 37 GB/s measured on 2 cores), shared by many
 * matrices; the last of its users frees it. */
typedef struct {
    uint8_t *memory, *base;
    size_t size, used, users;
} qz_slab;

struct qz_mm {
    qz_ops ops;
    qz_pool *pool;
    size_t threads;
    qz_mm_thread *th;   /* [threads] */
    float *s[2];        /* [QZ_MC][QZ_S_STRIDE], alternating */
    size_t passes, products; /* counted, never 0: what a thread prepared belongs to one of them */
    void *scratch;      /* grows on demand: gram panels, quantized activations */
    size_t scratch_bytes;
    qz_slab *slab;      /* the one that is being filled, or NULL */
};

/* 64-byte aligned memory of a slab; *slab gets the piece to release. NULL: out of memory. */
uint8_t *qz_slab_alloc(qz_mm *mm, size_t bytes, qz_slab **slab);
void qz_slab_release(qz_slab *slab);

/* At least n*size bytes in mm->scratch (old content lost). */
qz_status qz_mm_scratch(qz_mm *mm, size_t n, size_t size, qz_error *err);

/* One tile with `cols` <= tile_cols valid columns of c. */
void qz_mm_tile(const qz_ops *ops, size_t mr, size_t kc, const qz_tile *t, size_t cols, bool load);

/* A packed exact product: fill the first fields, then run. */
typedef struct {
    qz_mm *mm;
    size_t m, n, k;
    const float *a;
    size_t lda;
    const qz_weights *w;    /* right operand: rows of a weight matrix … */
    const float *b;         /* … or float rows */
    size_t ldb;
    float *c;
    size_t ldc;
    bool accumulate;
    size_t block;           /* columns of a task, a multiple of tile_cols, <= QZ_VC */
    size_t strips;          /* row strips per column block (more than 1 only for narrow products) */
    size_t m0, k0, packs;   /* the pass, and parts that pack the rows of the next one */
} qz_gemm_job;
void qz_gemm_run(qz_gemm_job *j);

/* ---- packed weights ---- */
/* Of coded matrices: TABLE (ldot), SMALL (sdot), WHOLE (qdot: integers and E2M1, times tokens of 16 bits). */
typedef enum {
    QZ_PACK_ROWS, QZ_PACK_FLOAT, QZ_PACK_TABLE, QZ_PACK_SMALL, QZ_PACK_WHOLE, QZ_PACK_EXACT
} qz_pack_kind;
struct qz_packed {
    qz_weights w;
    qz_pack_kind kind;
    const qz_layout *layout;  /* QZ_PACK_ROWS */
    qz_code_layout codes;     /* of a coded matrix */
    uint32_t width;           /* bits that its codes take packed */
    size_t step;              /* QZ_PACK_WHOLE, as in qz_qdot_call: */
    bool wide, brain;
    bool own;                 /* scales are E4M3 without the tensor's, which is in … */
    float unit;
    size_t panels, blocks;    /* blocks (or groups) of a row */
    size_t block_bytes, panel_bytes;
    uint8_t *data;            /* [panels][panel_bytes], in slab; NULL: w.data is used as it is */
    qz_slab *slab;
    uint32_t *order;          /* [cols] column of each packed column (act_order), or NULL */
    uint64_t bytes;
    char kernel[48];
};
/* pack_coded.c. Leaves p as QZ_PACK_EXACT where codes or scales have no packed form. */
qz_status qz_packed_open_coded(qz_mm *mm, qz_packed *p, qz_error *err);
/* Memory for p->w.rows rows of p->blocks blocks of p->block_bytes. */
qz_status qz_packed_place(qz_mm *mm, qz_packed *p, qz_error *err);
#endif
