#include "check/hsi.h"

#include <string.h>

#include "base/json.h"

#define ID_PREFIX "org.fwupd.hsi."

struct target {
	const char *id, *reason, *advice;
	const json_t *results;
	json_int_t level;
	bool wanted;	    /* its failure is worth a note, not attention */
	const char *vendor; /* the one maker whose platforms have it, or NULL */
};

static int read_target(const json_t *object, struct target *ret_target, struct error *err)
{
	struct target target = {.wanted = json_is_true(json_object_get(object, "wanted")),
				.vendor = json_string_value(json_object_get(object, "vendor"))};
	const json_t *level = json_object_get(object, "level");
	int r = json_get_string(object, "id", &target.id, err);

	if (r == 0)
		r = json_get_string(object, "reason", &target.reason, err);
	if (r == 0)
		r = json_get_string(object, "do", &target.advice, err);
	if (r == 0)
		r = json_get_array(object, "results", &target.results, err);
	if (r == 0 && (!json_is_integer(level) || json_integer_value(level) < 0 ||
		       json_integer_value(level) > 4))
		r = error_set(err, ERROR_DEFECT, "field 'level' is not 0 to 4");
	target.level = json_integer_value(level);
	if (r == 0)
		*ret_target = target;
	return r;
}

static bool has_flag(const json_t *attribute, const char *flag)
{
	const json_t *text;
	size_t index;

	json_array_foreach(json_object_get(attribute, "Flags"), index, text)
	{
		if (json_is_string(text) && strcmp(json_string_value(text), flag) == 0)
			return true;
	}
	return false;
}

/* The attribute that counts: one that a newer one has replaced does not. */
static const json_t *find_attribute(const json_t *attributes, const char *id)
{
	const json_t *attribute;
	size_t index;

	json_array_foreach(attributes, index, attribute)
	{
		const char *found = json_string_value(json_object_get(attribute, "AppstreamId"));

		if (found && strncmp(found, ID_PREFIX, strlen(ID_PREFIX)) == 0 &&
		    strcmp(found + strlen(ID_PREFIX), id) == 0 && !has_flag(attribute, "obsoleted"))
			return attribute;
	}
	return NULL;
}

static bool is_right(const struct target *target, const char *result)
{
	const json_t *right;
	size_t index;

	json_array_foreach(target->results, index, right)
	{
		if (json_is_string(right) && strcmp(json_string_value(right), result) == 0)
			return true;
	}
	return false;
}

/* Is it a platform of @vendor: does the recording show anything that only theirs have? */
static bool is_of(const char *vendor, const json_t *targets, const json_t *attributes)
{
	const json_t *target;
	size_t index;

	json_array_foreach(targets, index, target)
	{
		const char *maker = json_string_value(json_object_get(target, "vendor"));
		const char *id = json_string_value(json_object_get(target, "id"));

		if (maker && id && strcmp(maker, vendor) == 0 && find_attribute(attributes, id))
			return true;
	}
	return false;
}

static void judge(const struct target *target, const json_t *attributes, struct findings *findings)
{
	const json_t *attribute = find_attribute(attributes, target->id);
	const char *result = json_string_value(json_object_get(attribute, "HsiResult"));

	findings_count(findings);
	if (!attribute) {
		findings_add(findings, target->wanted ? FINDING_NOTE : FINDING_DEFECT, target->id,
			     target->wanted ? "" : "record with a newer fwupd, as root, on the box",
			     "is not in the recording: %s", target->reason);
		return;
	}
	/* fwupd's own verdict must agree with the value: one of them may be made up. */
	if (result && is_right(target, result) && has_flag(attribute, "success"))
		return;
	findings_add(findings, target->wanted ? FINDING_NOTE : FINDING_ATTENTION, target->id,
		     target->wanted ? "" : target->advice,
		     "is '%.40s'%s and must be '%s' (level %d): %s", result ? result : "unknown",
		     result && is_right(target, result) ? ", without success," : "",
		     json_string_value(json_array_get(target->results, 0)), (int)target->level,
		     target->reason);
}

int hsi_check(const json_t *targets, const json_t *security, struct findings *findings,
	      struct error *err)
{
	const json_t *attributes = json_object_get(security, "HostSecurityAttributes");
	const json_t *list = NULL, *object;
	size_t index;
	int r = json_get_array(targets, "targets", &list, err);

	if (r < 0)
		return error_prefix(err, "targets");
	if (!attributes) /* as an uploaded report calls it */
		attributes = json_object_get(security, "SecurityAttributes");
	if (json_array_size(attributes) == 0)
		return error_set(err, ERROR_DEFECT,
				 "this is no output of `fwupdmgr security --json`: it has no "
				 "HostSecurityAttributes");
	json_array_foreach(list, index, object)
	{
		struct target target;

		r = read_target(object, &target, err);
		if (r < 0)
			return error_prefix(err, "target %zu", index);
		if (!target.vendor || is_of(target.vendor, list, attributes))
			judge(&target, attributes, findings);
	}
	if (!is_of("intel", list, attributes) && !is_of("amd", list, attributes))
		findings_add(
			findings, FINDING_DEFECT, "platform",
			"record with a newer fwupd, as root, on the box",
			"nothing shows whether it is Intel's or AMD's: fwupd did not reach it");
	return 0;
}
