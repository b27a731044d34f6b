#include "keeper/preflight.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "protocol/pull_preflight.h"
#include "store/preflight_record.h"

#define ATTENTION_USEC (UINT64_C(7) * 86400 * USEC_PER_SEC)

/* The message's text as the leaf's fields, checked as any leaf is. */
static int decode(const struct source *source, const struct pull_preflight *message,
		  struct preflight_record *ret, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	int r = json_parse_canonical(message->text, strlen(message->text), &object, err);

	if (r < 0)
		return error_prefix(err, "PREFLIGHT");
	json_put_string(object, "source", source->config->name);
	json_put_string(object, "server", message->server);
	json_put_u64(object, "checked_usec", message->time_usec);
	r = preflight_record_decode(object, ret, err);
	if (r < 0)
		return error_prefix(err, "PREFLIGHT");
	if (ret->ok == message->ok)
		return 0;
	preflight_record_release(ret);
	return error_set(err, ERROR_DEFECT, "PREFLIGHT does not say what its text does");
}

static void append_if_new(const struct source *source)
{
	const struct preflight_record *record = &source->preflight;
	const struct preflight_record *last = state_preflight(store_state(source->keeper->store),
							      source->config->name, record->server);
	struct error err;

	if (last && preflight_record_same(last, record))
		return;
	if (keeper_append(source->keeper, preflight_record_encode(record), &err) < 0)
		log_warning("preflight.failed", "source", LOG_TEXT(source->config->name), "reason",
			    LOG_TEXT(err.message), LOG_END);
}

int preflight_take(struct source *source, const struct message *message, struct error *err)
{
	CLEANUP(freep)
	struct pull_preflight *told = malloc(sizeof(*told));
	struct preflight_record record;
	int r;

	ASSERT(told);
	r = pull_preflight_decode(message, told, err);
	if (r == 0)
		r = decode(source, told, &record, err);
	if (r < 0)
		return r;
	preflight_record_release(&source->preflight);
	source->preflight = record;
	append_if_new(source);
	return 0;
}

/* --- status ---------------------------------------------------------------------------------- */

static void add(json_t *warnings, const char *rule, const char *sentence)
{
	json_t *warning = json_object();

	json_put_string(warning, "rule", rule);
	json_put_string(warning, "sentence", sentence);
	json_array_append_new(warnings, warning);
}

static void add_certificate(json_t *warnings, enum preflight_certificate certificate,
			    uint64_t end_usec)
{
	static const char *const whose[] = {
		[PREFLIGHT_CERTIFICATE_SERVER] = "the server's certificate",
		[PREFLIGHT_CERTIFICATE_AUTHORITY] = "the certificate of the authority (tls-ca)",
		[PREFLIGHT_CERTIFICATE_CLIENT] = "our certificate (tls-certificate)",
	};
	char rule[64], sentence[256], when[TIME_TEXT_SIZE];

	time_format(end_usec, when);
	snprintf(rule, sizeof(rule), "%s-certificate", preflight_certificate_name(certificate));
	snprintf(sentence, sizeof(sentence),
		 "%s ends %.10s %.8sZ, and with it the archiving: renew it before",
		 whose[certificate], when, when + 11);
	add(warnings, rule, sentence);
}

static bool ends_within(uint64_t end_usec, uint64_t now_usec, uint64_t period_usec)
{
	return end_usec != 0 && end_usec <= now_usec + period_usec;
}

/* A rule that refuses is the source's own sentence, and no warning. */
static void add_rules(json_t *warnings, const json_t *rules)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		const char *name, *verdict, *sentence;
		struct error ignored;

		if (json_get_string(rule, "rule", &name, &ignored) == 0 &&
		    json_get_string(rule, "verdict", &verdict, &ignored) == 0 &&
		    json_get_string(rule, "sentence", &sentence, &ignored) == 0 &&
		    strcmp(verdict, "warning") == 0)
			add(warnings, name, sentence);
	}
}

json_t *preflight_warnings(const struct source *source, uint64_t now_usec)
{
	const struct preflight_record *record = &source->preflight;
	uint64_t period_usec = source->config->rules.certificate_warning_usec;
	json_t *warnings = json_array();

	if (!record->rules)
		return warnings;
	for (int i = 0; i < PREFLIGHT_CERTIFICATE_COUNT; i++) {
		if (ends_within(record->ends_usec[i], now_usec, period_usec))
			add_certificate(warnings, (enum preflight_certificate)i,
					record->ends_usec[i]);
	}
	add_rules(warnings, record->rules);
	return warnings;
}

bool preflight_needs_attention(const struct source *source, uint64_t now_usec)
{
	for (int i = 0; i < PREFLIGHT_CERTIFICATE_COUNT; i++) {
		if (ends_within(source->preflight.ends_usec[i], now_usec, ATTENTION_USEC))
			return true;
	}
	return false;
}
