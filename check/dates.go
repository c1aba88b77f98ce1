package check

import (
	"cmp"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/page"
)

// checkDate reports dates that are typed as text without a known order.
func (c *comparedForm) checkDate(v value, control page.InventoryControl) {
	if v.kind != fieldtype.Date || cmp.Or(v.field.DateOrder, c.form.DateOrder) != "" || control.Element != "input" || control.Type != "text" {
		return
	}
	order := DateOrderOf(control)
	c.report(DateOrderMissing, control.At, "date_order "+cmp.Or(order, "dmy"),
		"visitors type %s as text, and 05/12/2026 has two meanings, so they are asked which one; write the order%s", control.Name, fromPicker(order))
}

func fromPicker(order string) string {
	if order == "" {
		return ", dmy or mdy"
	}
	return " of the picker"
}

// dateFormats matches how a date picker writes dates.
var dateFormats = regexp.MustCompile(`(?i)\b(d{1,2}|m{1,4}|y{2,4})[-/. ](d{1,2}|m{1,4}|y{2,4})[-/. ](d{1,2}|m{1,4}|y{2,4})\b`)

// DateOrderOf returns the order in which a control's picker or placeholder writes dates, or "".
func DateOrderOf(control page.InventoryControl) string {
	for _, attribute := range [...]string{"data-date-format", "data-format", "data-dateformat", "data-alt-format", "placeholder", "pattern"} {
		text, _ := control.Attribute(attribute)
		found := dateFormats.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		var order strings.Builder
		for _, part := range found[1:] {
			first, _ := utf8.DecodeRuneInString(strings.ToLower(part))
			order.WriteRune(first)
		}
		if _, err := fieldtype.ParseDateOrder(order.String()); err == nil {
			return order.String()
		}
	}
	return ""
}
