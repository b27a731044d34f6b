#include "command/archive_option.h"

int command_archive(struct command_context *context, struct command_volumes *ret_paths,
		    struct error *err)
{
	const struct config *config;
	const char *path = command_value(context, "archive");
	int r;

	if (path) {
		*ret_paths = (struct command_volumes){.volumes = {path}, .count = 1, .copy = true};
		return 0;
	}
	r = command_config(context, &config, err);
	if (r < 0)
		return r;
	*ret_paths = (struct command_volumes){.count = config->volume_count};
	for (size_t i = 0; i < config->volume_count; i++)
		ret_paths->volumes[i] = config->volumes[i];
	return 0;
}
