/* Products with packed weights (matmul.h): a pool job quantizes the activations (with a few tokens every thread does
 * that for itself, which is cheaper than a job), a second one runs the tasks: a chunk of panels or rows of one matrix,
 * for a block of tokens whose activations stay in the second-level cache. Float matrices with many tokens go through
 * the exact product's panels. */
#include <string.h>
#include "base/bytes.h"
#include "codecs/types.h"
#include "kernels/matmul.h"
#include "kernels/mm_int.h"

enum {
    MAX_W = 8,           /* matrices of one call */
    SMALL = 24,          /* most tokens for the row kernels of float and coded weights */
    ACT_BYTES = 384 << 10, /* activations of a token block */
    CHUNKS = 16,         /* tasks a thread and matrix, about */
    ALONE = 16384        /* activations up to which every thread quantizes for itself */
};

typedef enum { ACT_32, ACT_256, ACT_HALF, ACT_KINDS } act_kind; /* ACT_HALF: its factor, then one token of float16 */
enum { HALF_HEAD = 64 };

typedef struct {
    const qz_packed *p;
    float *y;
    bool exact;
    size_t units, chunk, chunks; /* panels (or rows), per task, tasks of a token block */
    size_t block, blocks;        /* tokens of a token block, number of them */
    size_t x_at, q_at, act_at, sums_at; /* whole numbers, bytes into the scratch: x in packed order, to 16 bits, its
                                         * steps, sums over groups */
    bool shares;                 /* all of them with a part before */
    qz_gemm_job gemm;
} product;

typedef struct {
    qz_mm *mm;
    const float *x;
    size_t n, cols, n_w;
    uint8_t *scratch;
    size_t alone;                /* bytes of scratch for each thread; 0: one for all */
    size_t id;                   /* qz_mm.products */
    bool act[ACT_KINDS];         /* needed */
    size_t act_at[ACT_KINDS];    /* bytes into the scratch */
    product parts[MAX_W];
} packed_product;
/* What a thread works with: the job and its scratch. */
typedef struct {
    const packed_product *j;
    uint8_t *scratch;
} view;

static size_t act_size(act_kind k) { return k == ACT_32 ? sizeof(qz_act32) : sizeof(qz_act256); }
static size_t act_elems(act_kind k) { return k == ACT_32 ? 32 : 256; }
static size_t act_bytes(const packed_product *j, act_kind k) {
    return k == ACT_HALF ? HALF_HEAD + j->cols * sizeof(uint16_t) : j->n * (j->cols / act_elems(k)) * act_size(k);
}
static act_kind act_of(const qz_layout *l) { return l->elems == 32 ? ACT_32 : ACT_256; }

/* Tokens [8g, 8g+8) lie block by block side by side; the last group may be narrower. */
static uint8_t *act_group(const view *v, act_kind k, size_t group) {
    return v->scratch + v->j->act_at[k] + group * QZ_TOKENS * (v->j->cols / act_elems(k)) * act_size(k);
}
static size_t group_tokens(const packed_product *j, size_t group) {
    return qz_min_size(QZ_TOKENS, j->n - group * QZ_TOKENS);
}

static void quantize(const view *v, act_kind k, qz_part part) {
    const packed_product *j = v->j;
    if (k == ACT_HALF) {
        uint8_t *at = v->scratch + j->act_at[k];
        if (part.i == 0) qz_store_f32le(at, j->mm->ops.halve(j->x, j->cols, (uint16_t *)(void *)(at + HALF_HEAD)));
        return;
    }
    const qz_act_fn fn = k == ACT_32 ? j->mm->ops.act_q8_0 : j->mm->ops.act_q8_k;
    const size_t elems = act_elems(k), size = act_size(k);
    size_t t0 = 0, t1 = j->n, b0 = 0, b1 = j->cols / elems;
    if (j->n >= part.n) qz_split(j->n, 1, part, &t0, &t1);
    else qz_split(j->cols / elems, 1, part, &b0, &b1);
    for (size_t t = t0; t < t1 && b0 < b1; ++t) {
        size_t stride = group_tokens(j, t / QZ_TOKENS) * size;
        uint8_t *out = act_group(v, k, t / QZ_TOKENS) + t % QZ_TOKENS * size;
        fn(j->x + t * j->cols + b0 * elems, (b1 - b0) * elems, out + b0 * stride, stride);
    }
}

/* Activations of whole numbers, groups split over threads: in packed order, to 16 bits, summed. */
static void quantize_16(const view *v, const product *w, qz_part part) {
    const packed_product *j = v->j;
    const qz_packed *p = w->p;
    const size_t group = p->codes.group, steps = group / p->step;
    size_t lo, hi;
    qz_split(p->blocks, 1, part, &lo, &hi);
    for (size_t t = 0; t < j->n && lo < hi; ++t) {
        const float *x = j->x + t * j->cols;
        if (p->order) {
            float *ordered = (float *)(void *)(v->scratch + w->x_at) + t * j->cols;
            for (size_t k = lo * group; k < hi * group; ++k) ordered[k] = x[p->order[k]];
            x = ordered;
        }
        qz_act16 *act = (qz_act16 *)(void *)(v->scratch + w->act_at) + (t * p->blocks + lo) * steps;
        float *sums = (float *)(void *)(v->scratch + w->sums_at) + t * p->blocks;
        j->mm->ops.act_16(x + lo * group, (hi - lo) * steps, p->step,
                          (int16_t *)(void *)(v->scratch + w->q_at) + t * j->cols + lo * group, act);
        for (size_t g = lo; g < hi; ++g, act += steps) {
            float sum = 0;
            for (size_t s = 0; s < steps; ++s) sum += act[s].d * (float)act[s].sum;
            sums[g] = sum;
        }
    }
}

static void rows_task(const view *v, const product *w, size_t u0, size_t u1, size_t t0, size_t t1) {
    const packed_product *j = v->j;
    const qz_packed *p = w->p;
    const act_kind k = act_of(p->layout);
    const qz_dot_fn dot = j->mm->ops.dot[p->w.type];
    float tile[QZ_TOKENS * QZ_PANEL];
    for (size_t u = u0; u < u1; ++u) {
        const uint8_t *panel = p->data + u * p->panel_bytes;
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - u * QZ_PANEL);
        for (size_t t = t0; t < t1; t += QZ_TOKENS) {
            size_t tokens = group_tokens(j, t / QZ_TOKENS);
            dot(p->layout, panel, p->blocks, act_group(v, k, t / QZ_TOKENS), tokens, tile);
            for (size_t i = 0; i < tokens; ++i)
                memcpy(w->y + (t + i) * p->w.rows + u * QZ_PANEL, tile + i * QZ_PANEL, rows * sizeof *tile);
        }
    }
}

static void table_task(const view *v, const product *w, size_t u0, size_t u1) {
    const packed_product *j = v->j;
    const qz_packed *p = w->p;
    const qz_ops *o = &j->mm->ops;
    const qz_panel_fn dot = p->kind == QZ_PACK_SMALL ? (p->codes.element == QZ_E5M2 ? o->sdot_e5m2 : o->sdot_e4m3)
                           : p->codes.bits == 8     ? o->ldot_8
                                                    : o->ldot_4;
    float tile[4 * QZ_PANEL];
    for (size_t u = u0; u < u1; ++u) {
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - u * QZ_PANEL);
        for (size_t t = 0; t < j->n; t += 4) {
            size_t tokens = qz_min_size(4, j->n - t);
            dot(&(qz_group_call){.panel = p->data + u * p->panel_bytes, .groups = p->blocks,
                                 .group_size = p->w.cols / p->blocks, .table = p->codes.table,
                                 .x = j->x + t * j->cols, .ldx = j->cols, .tokens = tokens, .out = tile});
            for (size_t i = 0; i < tokens; ++i)
                memcpy(w->y + (t + i) * p->w.rows + u * QZ_PANEL, tile + i * QZ_PANEL, rows * sizeof *tile);
        }
    }
}

static void whole_task(const view *v, const product *w, size_t u0, size_t u1) {
    const packed_product *j = v->j;
    const qz_packed *p = w->p;
    const qz_ops *o = &j->mm->ops;
    const qz_qdot_fn dot = p->codes.form == QZ_CODES_FLOAT ? o->qdot_e2m1 : p->width == 4 ? o->qdot_4 : o->qdot_8;
    const int16_t *q = (const int16_t *)(const void *)(v->scratch + w->q_at);
    const qz_act16 *act = (const qz_act16 *)(const void *)(v->scratch + w->act_at);
    const float *sums = (const float *)(const void *)(v->scratch + w->sums_at);
    float tile[4 * QZ_PANEL];
    for (size_t u = u0; u < u1; ++u) {
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - u * QZ_PANEL);
        for (size_t t = 0; t < j->n; t += 4) {
            size_t tokens = qz_min_size(4, j->n - t);
            dot(&(qz_qdot_call){.panel = p->data + u * p->panel_bytes, .groups = p->blocks,
                                .group_size = p->codes.group, .step = p->step, .wide = p->wide, .brain = p->brain,
                                .unit = p->unit, .q = q + t * j->cols, .act = act + t * (j->cols / p->step),
                                .sums = sums + t * p->blocks, .tokens = tokens, .out = tile});
            for (size_t i = 0; i < tokens; ++i)
                memcpy(w->y + (t + i) * p->w.rows + u * QZ_PANEL, tile + i * QZ_PANEL, rows * sizeof *tile);
        }
    }
}

static bool takes_half(const packed_product *j, const qz_packed *p) {
    return p->kind == QZ_PACK_FLOAT && p->w.type != QZ_TYPE_F32 && j->n == 1;
}

static void half_task(const view *v, const product *w, size_t u0, size_t u1) {
    const qz_weights *m = &w->p->w;
    const qz_ops *o = &v->j->mm->ops;
    const uint8_t *at = v->scratch + v->j->act_at[ACT_HALF];
    (m->type == QZ_TYPE_F16 ? o->hdot_f16 : o->hdot_bf16)((const uint8_t *)m->data + u0 * m->cols * 2, u1 - u0, m->cols,
                                                          (const uint16_t *)(const void *)(at + HALF_HEAD),
                                                          qz_load_f32le(at), w->y + u0);
}

static void float_task(const packed_product *j, const product *w, size_t u0, size_t u1) {
    const qz_weights *m = &w->p->w;
    const qz_ops *o = &j->mm->ops;
    const qz_fdot_fn dot = m->type == QZ_TYPE_F32 ? o->fdot_f32 : m->type == QZ_TYPE_F16 ? o->fdot_f16 : o->fdot_bf16;
    const size_t row_bytes = m->cols * qz_type_get(m->type)->bytes;
    float tile[16];
    for (size_t r = u0; r < u1; r += 4) {
        const uint8_t *rows[4];
        size_t have = qz_min_size(4, u1 - r);
        for (size_t i = 0; i < 4; ++i) rows[i] = (const uint8_t *)m->data + (r + qz_min_size(i, have - 1)) * row_bytes;
        for (size_t t = 0; t < j->n; t += 4) {
            size_t tokens = qz_min_size(4, j->n - t);
            dot(rows, j->x + t * j->cols, j->cols, tokens, j->cols, tile);
            for (size_t i = 0; i < tokens; ++i) memcpy(w->y + (t + i) * m->rows + r, tile + 4 * i, have * sizeof *tile);
        }
    }
}

static void run_task(const view *v, size_t task) {
    const packed_product *j = v->j;
    const product *w = j->parts;
    for (; w->exact || task >= w->chunks * w->blocks; ++w)
        if (!w->exact) task -= w->chunks * w->blocks;
    size_t u0 = task % w->chunks * w->chunk, u1 = qz_min_size(w->units, u0 + w->chunk);
    size_t t0 = task / w->chunks * w->block, t1 = qz_min_size(j->n, t0 + w->block);
    if (w->p->kind == QZ_PACK_ROWS) rows_task(v, w, u0, u1, t0, t1);
    else if (w->p->kind == QZ_PACK_TABLE || w->p->kind == QZ_PACK_SMALL) table_task(v, w, u0, u1);
    else if (w->p->kind == QZ_PACK_WHOLE) whole_task(v, w, u0, u1);
    else if (takes_half(j, w->p)) half_task(v, w, u0, u1);
    else float_task(j, w, u0, u1);
}

static void prepare(const view *v, qz_part part) {
    const packed_product *j = v->j;
    for (int k = 0; k < ACT_KINDS; ++k)
        if (j->act[k]) quantize(v, (act_kind)k, part);
    for (size_t i = 0; i < j->n_w; ++i) {
        const product *w = &j->parts[i];
        if (w->p->kind == QZ_PACK_WHOLE && !w->exact && !w->shares) quantize_16(v, w, part);
    }
}
static void prepare_part(void *arg, qz_part part) { prepare(&(view){arg, ((packed_product *)arg)->scratch}, part); }

/* A thread's own parts lie side by side: its share of the weights is one stream (the prefetcher loses a stream at every
 * jump: 27 against 41 GB/s with tasks of 32 KiB dealt in turn). */
static void task_part(void *arg, qz_part part) {
    const packed_product *j = arg;
    const view v = {.j = j, .scratch = j->scratch ? j->scratch + part.thread * j->alone : NULL};
    qz_mm_thread *th = &j->mm->th[part.thread];
    if (j->alone && th->prepared != j->id) prepare(&v, (qz_part){0, 1, part.thread});
    th->prepared = j->id;
    run_task(&v, part.i);
}

static void run(packed_product *j) {
    qz_pool *pool = j->mm->pool;
    size_t tasks = 0;
    bool shared = false;
    for (size_t i = 0; i < j->n_w; ++i) {
        if (j->parts[i].exact) continue;
        tasks += j->parts[i].chunks * j->parts[i].blocks;
        shared = j->alone == 0;
    }
    j->id = ++j->mm->products;
    if (shared) qz_pool_run(pool, 0, prepare_part, j);
    if (tasks) qz_pool_run(pool, tasks, task_part, j);
    for (size_t i = 0; i < j->n_w; ++i)
        if (j->parts[i].exact) qz_gemm_run(&j->parts[i].gemm);
}

static size_t claim(size_t *scratch, size_t n, size_t size) {
    const size_t at = *scratch;
    *scratch = at + (n * size + 63) / 64 * 64;
    return at;
}
/* 16-bit activations of a group size are made once. */
static void plan_16(packed_product *j, product *w, size_t *scratch) {
    const qz_packed *p = w->p;
    for (const product *before = j->parts; before < w && !p->order; ++before)
        if (before->p->kind == QZ_PACK_WHOLE && before->p->codes.group == p->codes.group && !before->p->order) {
            w->shares = true;
            w->q_at = before->q_at, w->act_at = before->act_at, w->sums_at = before->sums_at;
            return;
        }
    w->x_at = claim(scratch, p->order ? j->n * j->cols : 0, sizeof(float));
    w->q_at = claim(scratch, j->n * j->cols, sizeof(int16_t));
    w->act_at = claim(scratch, j->n * j->cols / p->step, sizeof(qz_act16));
    w->sums_at = claim(scratch, j->n * p->blocks, sizeof(float));
}

/* How a part is split, and what of the scratch it needs. */
static void plan_part(packed_product *j, product *w, size_t *scratch) {
    const qz_packed *p = w->p;
    const size_t threads = j->mm->threads;
    w->exact = p->kind == QZ_PACK_EXACT || (p->kind != QZ_PACK_ROWS && j->n > SMALL);
    w->block = j->n;
    w->units = p->kind == QZ_PACK_FLOAT ? p->w.rows : p->panels;
    size_t grain = p->kind == QZ_PACK_FLOAT ? 4 : 1;
    if (p->kind == QZ_PACK_ROWS && !w->exact) {
        act_kind k = act_of(p->layout);
        size_t bytes = p->blocks * act_size(k) * QZ_TOKENS;
        w->block = qz_max_size(1, ACT_BYTES / qz_max_size(1, bytes)) * QZ_TOKENS;
        j->act[k] = true;
    }
    if (takes_half(j, p)) j->act[ACT_HALF] = true;
    if (p->kind == QZ_PACK_WHOLE && !w->exact) plan_16(j, w, scratch);
    w->blocks = (j->n + w->block - 1) / w->block;
    w->chunk = qz_max_size(1, w->units / (threads * CHUNKS * grain)) * grain;
    w->chunks = (w->units + w->chunk - 1) / w->chunk;
    if (!w->exact) return;
    w->gemm = (qz_gemm_job){.mm = j->mm, .m = j->n, .n = p->w.rows, .k = p->w.cols, .a = j->x, .lda = p->w.cols,
                            .w = &p->w,
                            .c = w->y, .ldc = p->w.rows};
}

qz_status qz_mm_packed(qz_mm *mm, const qz_packed *const *w, size_t n_w, const float *x, size_t n, float *const *y,
                       qz_error *err) {
    if (n == 0 || n_w == 0) return QZ_OK;
    if (n_w > MAX_W) return qz_fail(err, QZ_EBUG, "%zu matrices in one product: expected at most %d", n_w, MAX_W);
    packed_product j = {.mm = mm, .x = x, .n = n, .cols = w[0]->w.cols, .n_w = n_w};
    size_t bytes = 0;
    for (size_t i = 0; i < n_w; ++i) {
        if (w[i]->w.cols != j.cols)
            return qz_fail(err, QZ_EBUG, "matrices of %zu and %zu columns in one product", w[i]->w.cols, j.cols);
        j.parts[i] = (product){.p = w[i], .y = y[i]};
        plan_part(&j, &j.parts[i], &bytes);
    }
    for (int k = 0; k < ACT_KINDS; ++k) {
        j.act_at[k] = bytes;
        if (j.act[k]) bytes += (act_bytes(&j, (act_kind)k) + 63) / 64 * 64;
    }
    bytes = (bytes + 63) / 64 * 64;
    j.alone = n * j.cols <= ALONE ? bytes : 0;
    QZ_TRY(qz_mm_scratch(mm, bytes, j.alone ? mm->threads : 1, err));
    j.scratch = mm->scratch;
    run(&j);
    return QZ_OK;
}
