#include "check/drift.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check/evidence.h"

#define SET_ADVICE "PATCH it in the Bios resource's settings object, restart the box, record again"

const char *const recording_files[] = {"system.json",		"bios.json",	 "secure-boot.json",
				       "network-protocol.json", "registry.json", NULL};

json_t **recording_slot(struct recording *recording, size_t index)
{
	json_t **const slots[] = {&recording->system, &recording->bios, &recording->secure_boot,
				  &recording->network_protocol, &recording->registry};

	return slots[index];
}

static int path_of(const char *directory, const char *file, char path[PATH_MAX], struct error *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s", directory, file) >= PATH_MAX)
		return error_set(err, ERROR_USAGE, "the directory's name is too long");
	return 0;
}

int recording_load(const char *directory, struct recording *ret_recording, struct error *err)
{
	CLEANUP(recording_release)
	struct recording recording = {0};
	char path[PATH_MAX];

	for (size_t i = 0; recording_files[i]; i++) {
		int r = path_of(directory, recording_files[i], path, err);

		if (r == 0)
			r = evidence_read_json(path, recording_slot(&recording, i), err);
		if (r < 0 && r != ERROR_NOT_FOUND)
			return r;
	}
	*ret_recording = recording;
	recording = (struct recording){0};
	return 0;
}

static int save_one(const json_t *object, const char *path, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_set_errno(err, errno == EEXIST ? ERROR_EXISTS : ERROR_IO, errno,
				       "creating '%s'", path);
	if (json_dumpfd(object, fd, JSON_INDENT(2) | JSON_SORT_KEYS) < 0 || fsync(fd) < 0)
		return error_set_errno(err, ERROR_IO, errno, "writing '%s'", path);
	return 0;
}

int recording_save(const struct recording *recording, const char *directory, struct error *err)
{
	struct recording borrowed = *recording;
	char path[PATH_MAX];

	for (size_t i = 0; recording_files[i]; i++) {
		const json_t *object = *recording_slot(&borrowed, i);
		int r = object ? path_of(directory, recording_files[i], path, err) : 0;

		if (r == 0 && object)
			r = save_one(object, path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void recording_release(struct recording *recording)
{
	for (size_t i = 0; recording_files[i]; i++)
		json_decref(*recording_slot(recording, i));
	*recording = (struct recording){0};
}

struct comparison {
	const struct intent *intent;
	const struct recording *recording;
	struct findings *findings;
	json_t *found; /* words of which an attribute exists */
};

static void compare_attribute(struct comparison *comparison, const struct intent_setting *setting,
			      const char *name, const json_t *value)
{
	char is[VALUE_TEXT_SIZE], wanted[VALUE_TEXT_SIZE];

	findings_count(comparison->findings);
	if (intent_allows(setting->values, value))
		return;
	value_format(value, is);
	value_format(json_array_get(setting->values, 0), wanted);
	findings_add(comparison->findings, FINDING_ATTENTION, setting->name,
		     setting->read_only ? "see to what it states; nobody can set it" : SET_ADVICE,
		     "attribute '%.80s' is %s and must be %s: %s", name, is, wanted,
		     setting->reason);
}

static void compare_setting(void *context, const struct intent_setting *setting)
{
	struct comparison *comparison = context;
	json_t *attributes = json_object_get(comparison->recording->bios, "Attributes");
	const char *name;
	json_t *value;
	size_t found = 0;

	json_object_foreach(attributes, name, value)
	{
		if (!intent_names(comparison->intent, setting->attribute, name))
			continue;
		found++;
		compare_attribute(comparison, setting, name, value);
	}
	json_put_bool(comparison->found, setting->name,
		      found || !setting->optional ||
			      json_is_true(json_object_get(comparison->found, setting->name)));
	if (found == 0 && !setting->optional)
		findings_add(comparison->findings, FINDING_DEFECT, setting->name,
			     "check the map against the box's registry (verb registry)",
			     "the box shows no attribute '%s'", setting->attribute);
}

static void note_unmapped(void *context, const char *name, const char *why)
{
	struct comparison *comparison = context;

	findings_add(comparison->findings, FINDING_NOTE, name, "", "Redfish does not show it: %s",
		     why);
}

/* "IPMI.ProtocolEnabled" in @object, or NULL. */
static const json_t *property_of(const json_t *object, const char *path)
{
	for (const char *dot; object && (dot = strchr(path, '.')); path = dot + 1)
		object = json_object_getn(object, path, (size_t)(dot - path));
	return json_object_get(object, path);
}

static const json_t *resource_of(const struct recording *recording, const char *name)
{
	const struct {
		const char *name;
		const json_t *resource;
	} resources[] = {
		{"ComputerSystem", recording->system},
		{"Bios", recording->bios},
		{"SecureBoot", recording->secure_boot},
		{"ManagerNetworkProtocol", recording->network_protocol},
	};

	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
		if (strcmp(resources[i].name, name) == 0)
			return resources[i].resource;
	}
	return NULL;
}

static void compare_property(void *context, const struct intent_property *property)
{
	struct comparison *comparison = context;
	const json_t *value = property_of(resource_of(comparison->recording, property->resource),
					  property->property);
	char object[160], is[VALUE_TEXT_SIZE], wanted[VALUE_TEXT_SIZE];

	if (!resource_of(comparison->recording, property->resource))
		return; /* said once, for the resource */
	snprintf(object, sizeof(object), "%s.%s", property->resource, property->property);
	findings_count(comparison->findings);
	if (!value || json_is_null(value)) {
		if (!property->optional)
			findings_add(comparison->findings, FINDING_DEFECT, object, property->advice,
				     "the box does not say: %s", property->reason);
		return;
	}
	if (intent_allows(property->values, value))
		return;
	value_format(value, is);
	value_format(json_array_get(property->values, 0), wanted);
	findings_add(comparison->findings, FINDING_ATTENTION, object, property->advice,
		     "is %s and must be %s: %s", is, wanted, property->reason);
}

static void require_resources(const struct recording *recording, struct findings *findings)
{
	const struct {
		const char *name, *file;
		const json_t *resource;
	} required[] = {
		{"ComputerSystem", "system.json", recording->system},
		{"Bios", "bios.json", recording->bios},
		{"SecureBoot", "secure-boot.json", recording->secure_boot},
		{"ManagerNetworkProtocol", "network-protocol.json", recording->network_protocol},
	};

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (!required[i].resource)
			findings_add(findings, FINDING_DEFECT, required[i].name,
				     "record it (verb record), or check it by hand",
				     "was not recorded: there is no %s", required[i].file);
	}
}

void drift_check(const struct intent *intent, const struct recording *recording,
		 struct findings *findings)
{
	CLEANUP(json_decrefp)
	json_t *found = json_object();
	struct comparison comparison = {intent, recording, findings, found};
	const json_t *manufacturer = json_object_get(recording->system, "Manufacturer");

	ASSERT(found);
	require_resources(recording, findings);
	if (recording->system && (!json_is_string(manufacturer) ||
				  !intent_map_is_for(intent, json_string_value(manufacturer))))
		findings_add(findings, FINDING_DEFECT, "ComputerSystem.Manufacturer",
			     "take the map of the box's vendor",
			     "the map is for %s, the box says '%.60s'", intent_vendor(intent),
			     json_is_string(manufacturer) ? json_string_value(manufacturer) : "");
	if (recording->bios)
		intent_each_setting(intent, compare_setting, &comparison);
	intent_report_missing(found, findings);
	intent_each_unmapped(intent, note_unmapped, &comparison);
	intent_each_property(intent, compare_property, &comparison);
}
