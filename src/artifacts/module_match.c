#define PCRE2_CODE_UNIT_WIDTH 8
#include "artifacts/module_rules.h"
#include <pcre2.h>
#include <string.h>

enum { PATTERN_LIMIT = 4096, STEP_LIMIT = 1000000, DEPTH_LIMIT = 1000 };

qz_status qz_module_match(const char *pattern, const char *module, const char *where, bool *yes, qz_error *err) {
    int code = 0, rc = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at = 0;
    *yes = false;
    if (strlen(pattern) > PATTERN_LIMIT)
        return qz_fail(err, QZ_EUNSUPPORTED, "pattern too long: %s: %.60s…", where, pattern);
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ANCHORED, &code, &at,
                                   NULL);
    if (!re)
        return qz_fail(err, QZ_EFORMAT, "not a regular expression: %s, at %zu of '%.200s'", where, (size_t)at, pattern);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (data && limits) {
        pcre2_set_match_limit(limits, STEP_LIMIT);
        pcre2_set_depth_limit(limits, DEPTH_LIMIT);
        rc = pcre2_match(re, (PCRE2_SPTR)module, PCRE2_ZERO_TERMINATED, 0, 0, data, limits);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    pcre2_code_free(re);
    *yes = rc >= 0;
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) return QZ_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return qz_fail(err, QZ_EMEMORY, "out of memory matching '%.200s'", pattern);
    return qz_fail(err, QZ_EUNSUPPORTED, "pattern takes too long: %s: '%.200s' on '%.200s'", where, pattern, module);
}

qz_status qz_module_target(const char *target, const char *module, bool classes, const char *where, bool *yes,
                           qz_error *err) {
    *yes = false;
    if (classes) *yes = strcmp(target, "Linear") == 0;
    else if (strncmp(target, "re:", 3) == 0) return qz_module_match(target + 3, module, where, yes, err);
    else *yes = strcmp(target, module) == 0;
    return QZ_OK;
}
