/* Inside of faults.h: the list of tensors as it is mended, and the judges of its parts. */
#ifndef QZ_DEPLOY_FAULTS_INT_H
#define QZ_DEPLOY_FAULTS_INT_H
#include "deploy/faults.h"

/* Adds a fault; the texts are in the arena. cost and left are -1. */
qz_status qz_fault_add(qz_mending *m, qz_fault_kind kind, const char *subject, size_t n, qz_fault **out, qz_error *err);
qz_status qz_fault_text(qz_mending *m, const char **out, qz_error *err, const char *fmt, ...) QZ_PRINTF(4, 5);
/* Sorts m->by_name after names have changed. */
qz_status qz_mending_index(qz_mending *m, qz_error *err);
/* The tensor prefix[0..n) + suffix as it is named now; NULL: none, or left out. */
qz_mended *qz_mended_find(const qz_mending *m, const char *prefix, size_t n, const char *suffix);
qz_mended *qz_mended_add(qz_mending *m, const qz_st *file, const char *name, qz_st_dtype dtype, const qz_st_item *like);
/* Its one float; false: it is no such tensor. */
bool qz_mended_scalar(const qz_mended *x, float *out);
/* Element i of a tensor of floats. */
float qz_mended_at(const qz_mended *x, size_t i);
/* All elements become these floats (n of them, or one for all), in the tensor's own type. */
qz_status qz_mended_set(qz_mending *m, qz_mended *x, const float *v, size_t n, qz_error *err);
uint64_t qz_mended_elems(const qz_mended *x);
/* Letters of the module's name where the tensor's name ends with `suffix` (".weight_scale"); 0: it does not. */
size_t qz_mended_module(const qz_mended *x, const char *suffix);

/* Codes of rows under the new scale; error, power (NULL: not wanted): Σ(w' − w)², Σw². */
qz_status qz_recode(qz_run *run, const qz_recoding *r, uint8_t *codes, uint8_t *scales, double *error, double *power,
                    qz_error *err);
uint64_t qz_recoding_codes(const qz_recoding *r);

qz_status qz_faults_names(qz_mending *m, qz_error *err);
qz_status qz_faults_scales(qz_run *run, bool measure, qz_mending *m, qz_error *err); /* convention, merged, ranges */
qz_status qz_faults_ranges(qz_mending *m, qz_error *err);
qz_status qz_faults_inputs(qz_mending *m, qz_error *err);                            /* missing ones, and the cache */
#endif
