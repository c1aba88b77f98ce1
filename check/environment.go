package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkEnvironment reports what is wrong around the config.
func (r *Report) checkEnvironment(c Config) {
	for _, empty := range c.Empty {
		r.add(Finding{
			Code: PlaceholderEmpty, Place: empty.Place, Remedy: exported(empty.Text),
			Message: fmt.Sprintf("%s: the placeholder %s has no value: %s", empty.Setting, empty.Text, empty.Reason),
		})
	}
	if c.Folder != "" {
		if err := checkWritable(c.Folder); err != nil {
			r.add(Finding{
				Code: FolderNotWritable, Place: c.FolderPlace, Remedy: "sudo install -d -o caddy -g caddy -m 700 " + c.Folder,
				Message: fmt.Sprintf("leads cannot be kept in %s by the user who runs this check: %v", c.Folder, err),
			})
		}
	}
	for _, site := range c.Sites {
		if site.ProxyHeader != "" {
			r.checkProxy(site, "the config reads "+site.ProxyHeader)
		}
	}
}

// exported returns the shell's line that gives a variable of the environment a value.
func exported(placeholder string) string {
	name, isVariable := strings.CutPrefix(placeholder, "{env.")
	name, isWhole := strings.CutSuffix(name, "}")
	if !isVariable || !isWhole || strings.ContainsAny(name, "{}") {
		return ""
	}
	return "export " + name + "=..."
}

// checkProxy reports a proxy that the config does not trust. It is known by a sign.
func (r *Report) checkProxy(site *Site, sign string) {
	if len(site.Forms) > 0 && !site.HasTrustedProxies {
		r.add(Finding{
			Code: TrustedProxiesMissing, Place: site.ProxyPlace,
			Remedy:  "servers {\n\ttrusted_proxies static private_ranges\n}",
			Message: sign + ", so a proxy seems to be in front of Caddy, but trusted_proxies does not name it: all visitors share one address, and rate_limit counts them as one",
		})
	}
}

// checkWritable reports why files cannot be created in the folder, or in the nearest one above it
// that exists.
func checkWritable(folder string) error {
	for {
		info, err := os.Stat(folder)
		parent := filepath.Dir(folder)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is not a folder", folder)
		case err == nil:
			return tryFile(folder)
		case !errors.Is(err, fs.ErrNotExist) || parent == folder:
			return withoutPath(err)
		}
		folder = parent
	}
}

// tryFile creates a file in the folder and removes it.
func tryFile(folder string) error {
	f, err := os.CreateTemp(folder, ".telecrm-check-*")
	if err != nil {
		return withoutPath(err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// withoutPath returns the reason in an error about a file, whose name may be random.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}
