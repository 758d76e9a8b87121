/* What formats are called, by configurations and by levels: rows of format_names.def. Letters in any case. */
#ifndef QZ_DEPLOY_FORMAT_NAMES_H
#define QZ_DEPLOY_FORMAT_NAMES_H
#include "deploy/engines.h"
#include "plan/levels.h"

/* Of config.json's quant_method; QZ_DEPLOY_UNKNOWN: no row. */
qz_deploy qz_deploy_of_method(const char *method);
/* Of a level or scheme: "ct:fp8_dynamic"; QZ_DEPLOY_UNKNOWN: no row. */
qz_deploy qz_deploy_of_level(const char *name);
/* The level whose arithmetic comes nearest to what a checkpoint was released in; QZ_LEVEL_COUNT: none. */
qz_level qz_level_of_release(const char *method);
/* Weights of a model as it is released, from its shape: of that level, or by the bits that its configuration says where
 * they are others; 0: nothing is known of them. One size for pick and check; files that are there have their own. */
uint64_t qz_released_bytes(const qz_shape *s);
#endif
