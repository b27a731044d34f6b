#include "store/preflight_record.h"

#include <stdio.h>
#include <string.h>

#include "store/field.h"
#include "store/request_record.h"

#define WORD_SIZE 64 /* of a rule, a key or a verdict */

const char *preflight_certificate_name(enum preflight_certificate certificate)
{
	static const char *const names[] = {
		[PREFLIGHT_CERTIFICATE_SERVER] = "server",
		[PREFLIGHT_CERTIFICATE_AUTHORITY] = "authority",
		[PREFLIGHT_CERTIFICATE_CLIENT] = "client",
	};

	return names[certificate];
}

json_t *preflight_record_encode(const struct preflight_record *record)
{
	json_t *object = field_record_new(RECORD_PREFLIGHT), *certificates = json_object();

	json_put_string(object, "source", record->source);
	field_put_text(object, "server", record->server);
	json_put_u64(object, "checked_usec", record->checked_usec);
	json_put_bool(object, "ok", record->ok);
	for (int i = 0; i < PREFLIGHT_CERTIFICATE_COUNT; i++)
		json_put_u64(certificates,
			     preflight_certificate_name((enum preflight_certificate)i),
			     record->ends_usec[i]);
	json_put(object, "certificates", certificates);
	json_put(object, "rules", json_incref(record->rules));
	return object;
}

/* One rule holds these four texts, and nothing else. */
static int check_rule(const json_t *rule, struct error *err)
{
	char word[WORD_SIZE], sentence[REQUEST_TEXT_SIZE];
	int r = json_get_text(rule, "rule", word, sizeof(word), err);

	if (r == 0)
		r = json_get_text(rule, "key", word, sizeof(word), err);
	if (r == 0)
		r = json_get_text(rule, "sentence", sentence, sizeof(sentence), err);
	if (r == 0)
		r = json_get_text(rule, "verdict", word, sizeof(word), err);
	if (r < 0)
		return r;
	if (strcmp(word, "warning") != 0 && strcmp(word, "refused") != 0)
		return error_set(err, ERROR_DEFECT, "field 'verdict': '%s' is not known", word);
	if (json_object_size(rule) != 4)
		return error_set(err, ERROR_DEFECT, "a rule has other fields");
	return 0;
}

static int get_rules(const json_t *object, const json_t **ret_rules, struct error *err)
{
	const json_t *rules, *rule;
	size_t i;
	int r = json_get_array(object, "rules", &rules, err);

	if (r < 0)
		return r;
	if (json_array_size(rules) > PREFLIGHT_RECORD_RULES_MAX)
		return error_set(err, ERROR_DEFECT, "field 'rules' has %zu elements",
				 json_array_size(rules));
	json_array_foreach(rules, i, rule)
	{
		r = json_is_object(rule) ? check_rule(rule, err)
					 : error_set(err, ERROR_DEFECT, "a rule is no object");
		if (r < 0)
			return r;
	}
	*ret_rules = rules;
	return 0;
}

static int get_certificates(const json_t *object, struct preflight_record *record,
			    struct error *err)
{
	const json_t *certificates;
	int r = json_get_object(object, "certificates", &certificates, err);

	for (int i = 0; r == 0 && i < PREFLIGHT_CERTIFICATE_COUNT; i++)
		r = json_get_u64(certificates,
				 preflight_certificate_name((enum preflight_certificate)i),
				 &record->ends_usec[i], err);
	return r;
}

int preflight_record_decode(const json_t *object, struct preflight_record *ret, struct error *err)
{
	struct preflight_record record = {.rules = NULL};
	const json_t *rules = NULL;
	int r = field_get_source(object, "source", record.source, err);

	if (r == 0)
		r = json_get_text(object, "server", record.server, sizeof(record.server), err);
	if (r == 0)
		r = json_get_u64(object, "checked_usec", &record.checked_usec, err);
	if (r == 0)
		r = json_get_bool(object, "ok", &record.ok, err);
	if (r == 0)
		r = get_certificates(object, &record, err);
	if (r == 0)
		r = get_rules(object, &rules, err);
	if (r < 0)
		return r;
	/* A reference is no change. */
	record.rules = json_incref((json_t *)(uintptr_t)rules);
	*ret = record;
	return 0;
}

void preflight_record_release(struct preflight_record *record)
{
	json_decref(record->rules);
	record->rules = NULL;
}

bool preflight_record_same(const struct preflight_record *a, const struct preflight_record *b)
{
	return strcmp(a->source, b->source) == 0 && strcmp(a->server, b->server) == 0 &&
	       a->ok == b->ok && memcmp(a->ends_usec, b->ends_usec, sizeof(a->ends_usec)) == 0 &&
	       json_equal(a->rules, b->rules);
}
