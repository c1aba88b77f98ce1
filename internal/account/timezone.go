package account

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// CheckTimeZone returns an error if name is not the name of a time zone.
func CheckTimeZone(name string) error {
	_, err := loadTimeZone(name)
	return err
}

// loadTimeZone returns the time zone with the IANA name. The error for an unknown name suggests
// another if this system has a list of time zones.
func loadTimeZone(name string) (*time.Location, error) {
	if !strings.EqualFold(name, "local") {
		if location, err := time.LoadLocation(name); err == nil {
			return location, nil
		}
	}
	return nil, fmt.Errorf("unknown time zone %q; %swrite an IANA name such as Asia/Kolkata", name, suggest.Question(name, zoneNames()))
}

// zoneFolder is where Unix systems keep their time zones.
const zoneFolder = "/usr/share/zoneinfo"

// zoneNames returns the names of this system's time zones, also by their last part, such as
// Kolkata, and with spaces instead of underscores.
func zoneNames() map[string]string {
	names := make(map[string]string)
	add := func(spelling, name string) {
		names[spelling], names[strings.ReplaceAll(spelling, "_", " ")] = name, name
	}
	_ = fs.WalkDir(os.DirFS(zoneFolder), ".", func(path string, entry fs.DirEntry, err error) error {
		continent, _, _ := strings.Cut(path, "/")
		switch {
		case err != nil || entry.IsDir() && (path == "posix" || path == "right" || path == "Etc"):
			return fs.SkipDir
		case !entry.IsDir() && path != continent:
			add(path, path)
			add(path[strings.LastIndex(path, "/")+1:], path)
		}
		return nil
	})
	return names
}
