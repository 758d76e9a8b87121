/* Which experts a token goes to, and with what weight. Source: formats/families.md section 5, families-2.md sections 1,
 * 4, 6, 11 and 12; router_test.c compares them with worked examples. */
#ifndef QZ_ENGINE_ROUTER_H
#define QZ_ENGINE_ROUTER_H
#include "model/config.h"

/* score [experts]: what the router's matrix gave; afterwards the weight of each chosen expert, 0 of the others (and of
 * a chosen one that adds nothing). correction [experts]: of a rule that has one, else NULL. */
void qz_route_token(const qz_config *c, const float *correction, float *score);
/* Does a weight multiply what the expert reads, rather than what it gives? */
static inline bool qz_route_scales_input(const qz_config *c) { return c->route == QZ_ROUTE_INPUT; }
#endif
