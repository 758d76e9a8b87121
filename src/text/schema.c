#include "text/schema.h"
#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <string.h>

enum { DEPTH = 64 };
static const char *const types[] = {"object", "array", "string", "integer", "number", "boolean", "null"};
static const char *const plain[] = {"title", "description", "default", "examples", "$schema", "$id"};
static const char *const numbers[] = {"minimum",   "maximum",   "exclusiveMinimum", "exclusiveMaximum",
                                      "minLength", "maxLength", "minItems",         "maxItems"};

static bool among(const char *word, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0) return true;
    return false;
}
#define AMONG(word, list) among(word, list, sizeof list / sizeof list[0])

static qz_status check_type(const json_t *v, qz_error *err) {
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_string(x) || !AMONG(json_string_value(x), types))
            return qz_fail(err, QZ_EFORMAT, "schema: key 'type': expected object, array, string, integer, number, "
                           "boolean or null, found %s", json_is_string(x) ? json_string_value(x) : qz_json_kind(x));
    }
    return QZ_OK;
}

static qz_status check(const json_t *schema, size_t depth, qz_error *err);
static qz_status check_keyword(const char *key, json_t *v, size_t depth, qz_error *err) {
    if (AMONG(key, plain) || strcmp(key, "const") == 0) return QZ_OK;
    if (AMONG(key, numbers))
        return json_is_number(v) ? QZ_OK
                                 : qz_fail(err, QZ_EFORMAT, "schema: key '%s': expected a number, found %s", key,
                                           qz_json_kind(v));
    if (strcmp(key, "type") == 0) return check_type(v, err);
    if (strcmp(key, "items") == 0) return check(v, depth + 1, err);
    if (strcmp(key, "additionalProperties") == 0) return json_is_boolean(v) ? QZ_OK : check(v, depth + 1, err);
    if (strcmp(key, "properties") == 0 && json_is_object(v)) {
        const char *name;
        json_t *p;
        json_object_foreach(v, name, p) QZ_TRY(check(p, depth + 1, err));
        return QZ_OK;
    }
    if ((strcmp(key, "enum") == 0 || strcmp(key, "required") == 0) && json_is_array(v)) {
        for (size_t i = 0; key[0] == 'r' && i < json_array_size(v); i++)
            if (!json_is_string(json_array_get(v, i)))
                return qz_fail(err, QZ_EFORMAT, "schema: key 'required': expected a list of strings");
        return QZ_OK;
    }
    if (strcmp(key, "properties") == 0 || strcmp(key, "enum") == 0 || strcmp(key, "required") == 0)
        return qz_fail(err, QZ_EFORMAT, "schema: key '%s': expected %s, found %s", key,
                       key[0] == 'p' ? "an object" : "a list", qz_json_kind(v));
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "schema: unknown keyword '%s': expected type, properties, required, additionalProperties, items, "
                   "enum, const or a limit of size; a rule that is not checked would count answers as right", key);
}
static qz_status check(const json_t *schema, size_t depth, qz_error *err) {
    const char *key;
    json_t *v;
    if (depth > DEPTH) return qz_fail(err, QZ_EFORMAT, "schema: deeper than %d levels", DEPTH);
    if (!json_is_object(schema))
        return qz_fail(err, QZ_EFORMAT, "schema: expected an object, found %s", qz_json_kind(schema));
    json_object_foreach((json_t *)(uintptr_t)schema, key, v) QZ_TRY(check_keyword(key, v, depth, err));
    return QZ_OK;
}
qz_status qz_schema_check(const json_t *schema, qz_error *err) { return check(schema, 0, err); }

bool qz_json_same(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b)) return false;
    if (json_is_array(a)) {
        bool same = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; same && i < json_array_size(a); i++)
            same = qz_json_same(json_array_get(a, i), json_array_get(b, i));
        return same;
    }
    if (!json_is_object(a)) return json_equal(a, b);
    bool same = json_object_size(a) == json_object_size(b);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)a, key, v) {
        const json_t *w = json_object_get(b, key);
        same = same && w && qz_json_same(v, w);
    }
    return same;
}

static bool is_type(const json_t *v, const char *type) {
    switch (json_typeof(v)) {
    case JSON_OBJECT: return strcmp(type, "object") == 0;
    case JSON_ARRAY: return strcmp(type, "array") == 0;
    case JSON_STRING: return strcmp(type, "string") == 0;
    case JSON_INTEGER: return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 && json_real_value(v) == floor(json_real_value(v)));
    case JSON_TRUE:
    case JSON_FALSE: return strcmp(type, "boolean") == 0;
    case JSON_NULL: return strcmp(type, "null") == 0;
    }
    return false;
}
static bool type_fits(const json_t *type, const json_t *v) {
    if (json_is_string(type)) return is_type(v, json_string_value(type));
    bool yes = json_array_size(type) == 0;
    for (size_t i = 0; i < json_array_size(type); i++) yes |= is_type(v, json_string_value(json_array_get(type, i)));
    return yes;
}

/* A limit counts for values of its kind only, as the standard has it. */
static bool number_fits(const char *key, double limit, const json_t *v) {
    const bool length = strstr(key, "Length") != NULL, items = strstr(key, "Items") != NULL;
    if (length ? !json_is_string(v) : items ? !json_is_array(v) : !json_is_number(v)) return true;
    const double x = length  ? (double)qz_utf8_count(json_string_value(v), json_string_length(v))
                     : items ? (double)json_array_size(v)
                             : json_number_value(v);
    if (strcmp(key, "exclusiveMinimum") == 0) return x > limit;
    if (strcmp(key, "exclusiveMaximum") == 0) return x < limit;
    return key[1] == 'i' ? x >= limit : x <= limit;
}

static bool object_fits(const json_t *schema, const json_t *value) {
    const json_t *properties = json_object_get(schema, "properties"), *required = json_object_get(schema, "required"),
                 *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *v;
    for (size_t i = 0; i < json_array_size(required); i++)
        if (json_object_get(value, json_string_value(json_array_get(required, i))) == NULL) return false;
    json_object_foreach((json_t *)(uintptr_t)value, key, v) {
        const json_t *p = json_object_get(properties, key);
        if (p ? !qz_schema_fits(p, v) : json_is_false(others)) return false;
        if (!p && json_is_object(others) && !qz_schema_fits(others, v)) return false;
    }
    return true;
}

/* As deep as the schema, which is bounded. */
bool qz_schema_fits(const json_t *schema, const json_t *value) {
    const json_t *type = json_object_get(schema, "type"), *constant = json_object_get(schema, "const"),
                 *list = json_object_get(schema, "enum"), *items = json_object_get(schema, "items");
    if (type && !type_fits(type, value)) return false;
    if (constant && !qz_json_same(constant, value)) return false;
    bool listed = list == NULL;
    for (size_t i = 0; i < json_array_size(list); i++) listed |= qz_json_same(json_array_get(list, i), value);
    if (!listed) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const json_t *limit = json_object_get(schema, numbers[i]);
        if (limit && !number_fits(numbers[i], json_number_value(limit), value)) return false;
    }
    for (size_t i = 0; items && json_is_array(value) && i < json_array_size(value); i++)
        if (!qz_schema_fits(items, json_array_get(value, i))) return false;
    return !json_is_object(value) || object_fits(schema, value);
}

static const json_t *declared(const json_t *tool) {
    const json_t *f = json_object_get(tool, "function");
    return f ? f : tool;
}
qz_status qz_tools_check(const json_t *tools, qz_error *err) {
    if (!json_is_array(tools) || json_array_size(tools) == 0)
        return qz_fail(err, QZ_EFORMAT, "key 'tools': expected a list of functions, found %s", qz_json_kind(tools));
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *f = declared(json_array_get(tools, i)), *p = json_object_get(f, "parameters");
        if (!json_is_string(json_object_get(f, "name")))
            return qz_fail(err, QZ_EFORMAT, "key 'tools': function %zu has no name", i);
        if (p) QZ_TRY(qz_schema_check(p, err));
    }
    return QZ_OK;
}
bool qz_tools_fit(const json_t *tools, const json_t *call) {
    const char *name = json_string_value(json_object_get(call, "name"));
    const json_t *arguments = json_object_get(call, "arguments");
    for (size_t i = 0; name && i < json_array_size(tools); i++) {
        const json_t *f = declared(json_array_get(tools, i)), *p = json_object_get(f, "parameters");
        if (strcmp(json_string_value(json_object_get(f, "name")), name) != 0) continue;
        return json_is_object(arguments) && (p == NULL || qz_schema_fits(p, arguments));
    }
    return false;
}
