#include "provision/unit.h"

#include <stdio.h>

#include "provision/text.h"
#include "provision/tool.h"

#define UNITS	  "/run/systemd/system"
#define SYSTEMCTL "/usr/bin/systemctl"

void unit_puller(const char *source, char ret_unit[UNIT_NAME_SIZE])
{
	snprintf(ret_unit, UNIT_NAME_SIZE, "binvault-pull@%s.service", source);
}

int unit_drop_in(const char *unit, const char *name, const char *text, struct error *err)
{
	char folder[256], path[320];

	snprintf(folder, sizeof(folder), UNITS "/%s.d", unit);
	snprintf(path, sizeof(path), "%s/%s.conf", folder, name);
	if (folder_make(UNITS, 0755, err) < 0 || folder_make(folder, 0755, err) < 0)
		return err->code;
	return text_write(path, text, 0644, err);
}

static int run(const char *const *arguments, struct error *err)
{
	return tool_run(&(struct tool){.arguments = arguments}, err);
}

int unit_reload(struct error *err)
{
	return run((const char *const[]){SYSTEMCTL, "daemon-reload", NULL}, err);
}

int unit_start(const char *unit, struct error *err)
{
	return run((const char *const[]){SYSTEMCTL, "start", unit, NULL}, err);
}

int unit_queue(const char *unit, struct error *err)
{
	return run((const char *const[]){SYSTEMCTL, "start", "--no-block", unit, NULL}, err);
}
