/* A subset of JSON Schema (2020-12) for answers that must fit one: type, properties, required, additionalProperties,
 * items, enum, const, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems;
 * title, description, default, examples, $schema and $id say nothing. Any other keyword is refused by name, and so are
 * schemas deeper than 64 levels.
 *   qz_schema_check(schema, err) once; qz_schema_fits(schema, value) for each value. */
#ifndef QZ_TEXT_SCHEMA_H
#define QZ_TEXT_SCHEMA_H
#include <jansson.h>
#include <stdbool.h>
#include "base/status.h"

qz_status qz_schema_check(const json_t *schema, qz_error *err);
/* Of a schema that was checked. */
bool qz_schema_fits(const json_t *schema, const json_t *value);
/* Equal as JSON Schema has it: 1 and 1.0 are. */
bool qz_json_same(const json_t *a, const json_t *b);
/* Declared functions: [{"type": "function", "function": {"name", "parameters"}}] or [{"name", "parameters"}]. */
qz_status qz_tools_check(const json_t *tools, qz_error *err);
/* A call {"name", "arguments"} of one of them, with arguments that fit its parameters. */
bool qz_tools_fit(const json_t *tools, const json_t *call);
#endif
