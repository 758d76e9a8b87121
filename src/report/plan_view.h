/* What `plan` shows: what was asked, what was found, and the tables made of it. */
#ifndef QZ_REPORT_PLAN_VIEW_H
#define QZ_REPORT_PLAN_VIEW_H
#include "plan/operand.h"
#include "plan/job.h"
#include "plan/resident.h"
#include "plan/roofline.h"
#include "plan/split.h"

typedef struct {
    qz_level level;
    const char *label;           /* the level's name, or "this file" */
    const char *misfit;          /* why the format cannot hold the model, or NULL */
    qz_memory m;
    qz_level_files files;
    uint64_t max_users, max_ctx;
} qz_plan_row;

/* How it is shown, and what only views ask. */
typedef struct {
    bool json, exact;
    const char *matrix, *disk, *output;
    bool overhead;               /* --overhead was given */
    double reserve, overhead_ms; /* per cent; milliseconds a token */
    uint64_t samples, seq_len;
} qz_plan_options;

typedef struct {
    qz_plan_options o;
    qz_operand operand;          /* as it was opened */
    qz_shape *shape;             /* the operand's */
    bool opened;                 /* a checkpoint or artifact with its weights */
    const char *dir;             /* the folder given, or NULL */
    qz_hardware_set set;
    const qz_hardware *hw;       /* NULL: none asked for */
    qz_memory_query q;           /* first context, first number of users */
    uint64_t *contexts, *users; size_t n_contexts, n_users;
    qz_level *levels; size_t n_levels;
    qz_plan_row *rows; size_t n_rows;
    qz_memory base;              /* of BF16: KV cache, buffers and usable memory do not depend on the format */
    qz_resident resident;        /* of this program, when opened */
    bool budget;                 /* reserve and overhead are the hardware's own row, for this engine */
    const char *engine;
    uint64_t system_bytes, system_usable; /* of --offload; 0: not said */
    size_t threads;
    qz_arena arena;
} qz_plan_view;

/* Small models are shown in MB. */
typedef struct { double ten, two; const char *gb, *gib; } qz_plan_unit;
/* "312 TFLOPS in 16 bits, 624 in 8", or that they are not known. */
const char *qz_plan_tflops(const qz_hardware *h, char buf[96]);
/* "32 heads, 8 KV heads x 128, …": what a shape caches, and where. */
void qz_plan_attention(const qz_shape *s, qz_str *line);
qz_plan_unit qz_plan_unit_of(const qz_plan_view *v);

qz_status qz_plan_print_main(const qz_plan_view *v, qz_str *out, qz_error *err);
qz_status qz_plan_print_json(const qz_plan_view *v, qz_str *out, qz_error *err);
qz_status qz_plan_print_grid(const qz_plan_view *v, qz_str *out, qz_error *err);   /* contexts × users */
qz_status qz_plan_print_offload(const qz_plan_view *v, qz_str *out, qz_error *err);
qz_status qz_plan_print_speed(const qz_plan_view *v, qz_str *out, qz_error *err);
qz_status qz_plan_print_job(qz_run *run, const qz_plan_view *v, qz_str *out, qz_error *err);
/* formats × model sizes, no model needed */
qz_status qz_plan_print_matrix(const qz_plan_view *v, qz_str *out, qz_error *err);
qz_status qz_plan_print_shapes(bool json, qz_str *out, qz_error *err);
qz_status qz_plan_print_hardware(const qz_hardware_set *set, bool json, qz_str *out, qz_error *err);
#endif
