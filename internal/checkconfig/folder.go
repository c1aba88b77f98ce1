package checkconfig

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
)

// stateFile returns the file with the state of the last check of a config.
func stateFile(config string) string {
	if absolute, err := filepath.Abs(config); err == nil {
		config = absolute
	}
	sum := sha256.Sum256([]byte(config))
	return filepath.Join(caddy.AppDataDir(), "telecrm", fmt.Sprintf("check-%x.json", sum[:8]))
}

// readFolder finds the folder of the outbox.
func (r *reader) readFolder() {
	outbox := r.config.Apps.TeleCRM.Outbox
	file := filepath.Join(caddy.AppDataDir(), "telecrm", "outbox.db")
	switch {
	case outbox == nil || outbox.File == "" && outbox.Store == "sqlite":
	case outbox.Store != "sqlite":
		return
	default:
		file = r.expand("outbox", outbox.File, r.blocks.app("outbox"))
	}
	if file != "" {
		r.result.Folder, r.result.FolderPlace = filepath.Dir(file), r.blocks.app("outbox")
	}
}
