#include "pull/preflight.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/json.h"
#include "pull/preflight_facts.h"
#include "pull/preflight_rules.h"

static_assert(PREFLIGHT_SENTENCE_SIZE == MESSAGE_SENTENCE_SIZE, "a sentence fits a message");

/* All rules of one server, judged. */
struct judgement {
	size_t count;
	struct preflight_finding findings[PREFLIGHT_RULES_MAX];
};

static struct judgement *judge(const struct preflight_facts *facts)
{
	struct judgement *judgement = calloc(1, sizeof(*judgement));

	ASSERT(judgement);
	judgement->count = preflight_judge(facts, judgement->findings);
	return judgement;
}

static size_t count_of(const struct judgement *judgement, enum preflight_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < judgement->count; i++)
		count += judgement->findings[i].verdict == verdict;
	return count;
}

static json_t *finding_json(const struct preflight_finding *finding)
{
	json_t *object = json_object();

	json_put_string(object, "rule", finding->rule);
	json_put_string(object, "key", finding->key);
	json_put_string(object, "verdict", preflight_verdict_name(finding->verdict));
	json_put_string(object, "sentence", finding->sentence);
	return object;
}

json_t *preflight_report(const struct preflight_facts *facts)
{
	CLEANUP(freep)
	struct judgement *judgement = judge(facts);
	json_t *report = json_object(), *rules = json_array();

	for (size_t i = 0; i < judgement->count; i++) {
		json_t *rule = finding_json(&judgement->findings[i]);

		if (judgement->findings[i].attention)
			json_put_bool(rule, "attention", true);
		json_array_append_new(rules, rule);
	}
	json_put_bool(report, "ok", count_of(judgement, PREFLIGHT_REFUSES) == 0);
	json_put(report, "rules", rules);
	json_put_string(report, "flavour",
			facts->identity.flavour == FLAVOUR_MYSQL ? "mysql" : "mariadb");
	json_put_string(report, "version", facts->version);
	json_put_string(report, "account", facts->account);
	json_put_string(report, "client", facts->client);
	json_put(report, "statements", json_incref(facts->revoke));
	return report;
}

static json_t *certificates_json(const struct preflight_facts *facts)
{
	json_t *object = json_object();

	json_put_u64(object, "server", facts->server_end_usec);
	json_put_u64(object, "authority", facts->authority_end_usec);
	json_put_u64(object, "client", facts->client_end_usec);
	return object;
}

/* Sentences are bounded, so that it fits; if it does not, that rules failed is all that is told. */
static void write_verdict(const struct preflight_facts *facts, const struct judgement *judgement,
			  struct server_facts *ret)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	json_t *rules = json_array();
	struct error ignored;

	for (size_t i = 0; i < judgement->count; i++) {
		if (judgement->findings[i].verdict >= PREFLIGHT_WARNS &&
		    judgement->findings[i].end_usec == 0)
			json_array_append_new(rules, finding_json(&judgement->findings[i]));
	}
	ret->ok = count_of(judgement, PREFLIGHT_REFUSES) == 0;
	json_put_bool(object, "ok", ret->ok);
	json_put(object, "rules", rules);
	json_put(object, "certificates", certificates_json(facts));
	if (json_text_canonical(object, ret->verdict, sizeof(ret->verdict), &ignored) >= 0)
		return;
	json_array_clear(rules);
	if (json_text_canonical(object, ret->verdict, sizeof(ret->verdict), &ignored) < 0)
		ret->verdict[0] = '\0';
}

static int refuse(const struct judgement *judgement, const struct config_source *source,
		  struct error *err)
{
	size_t count = count_of(judgement, PREFLIGHT_REFUSES);
	const struct preflight_finding *first = judgement->findings;

	if (count == 0)
		return 0;
	while (first->verdict != PREFLIGHT_REFUSES)
		first++;
	if (count == 1)
		return error_set(err, ERROR_REFUSED, "%s", first->sentence);
	return error_set(err, ERROR_REFUSED, "%s (and %zu more, see: binvault source test %s)",
			 first->sentence, count - 1, source->name);
}

int preflight_check(struct connection *connection, const struct config_source *source,
		    const struct config_server *server, struct binlog_list *list,
		    struct server_facts *ret_facts, struct error *err)
{
	const struct preflight_request request = {source, server, list};
	CLEANUP(preflight_facts_freep)
	struct preflight_facts *facts = NULL;
	CLEANUP(freep)
	struct judgement *judgement = NULL;
	int r;

	ret_facts->verdict[0] = '\0';
	r = preflight_facts_read(connection, &request, &facts, err);
	if (r < 0)
		return r;
	judgement = judge(facts);
	write_verdict(facts, judgement, ret_facts);
	r = refuse(judgement, source, err);
	if (r < 0)
		return r;
	ret_facts->identity = facts->identity;
	memcpy(ret_facts->version, facts->version, sizeof(ret_facts->version));
	snprintf(ret_facts->binlog_format, sizeof(ret_facts->binlog_format), "%.15s",
		 preflight_value(facts, VARIABLE_FORMAT));
	memcpy(ret_facts->first_file, facts->first_file, sizeof(ret_facts->first_file));
	memcpy(ret_facts->last_file, facts->last_file, sizeof(ret_facts->last_file));
	return 0;
}
