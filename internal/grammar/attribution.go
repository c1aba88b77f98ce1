package grammar

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/mapping"
)

// Attribution reads the rest of the line of a form's word attribution, and its block.
func Attribution(d *caddyfile.Dispenser) (*mapping.Attribution, error) {
	a := new(mapping.Attribution)
	args := d.RemainingArgs()
	if len(args) > 1 {
		return nil, d.Errf("attribution takes at most one prefix of API names, got %q too", args[1])
	}
	if len(args) == 1 {
		a.Prefix = args[0]
	}
	return a, Block(d, "attribution", []Word{{Name: "fields", Many: true, Read: func(d *caddyfile.Dispenser) error {
		names := d.RemainingArgs()
		if len(names) == 0 {
			return d.Errf("fields takes the names of one or more values, such as first_utm_source")
		}
		for _, name := range names {
			if err := Apply(d, "fields", name, mapping.CheckAttributionField); err != nil {
				return err
			}
		}
		a.Fields = append(a.Fields, names...)
		return nil
	}}})
}
