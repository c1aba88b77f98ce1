package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInventory(t *testing.T) {
	t.Parallel()
	const source = `<!DOCTYPE html>
<html lang=hi><base href=/de/>
<p>été <form id=f method=POST action=/enquire enctype=multipart/form-data data-netlify=true>
	<label>Name <input name=name required maxlength=40></label>
	<label for=p>Phone</label><input id=p type=TEL name=phone placeholder=Phone>
	<input placeholder="No label" name=town>
	<select name=plan multiple><option value="">Choose<option>A  b<option value=c disabled>C</select>
	<label><input type=checkbox name=ok></label>
	<input type=hidden name=page value=home><input type=file name=bill aria-label=Bill>
	<button formaction=/other>Send</button>
</form>
<input form=f type=password name=pw title=Password>
<div hidden><form><button formmethod=post></button></form></div>`
	got, err := ReadInventory([]byte(source), "text/html")
	if err != nil {
		t.Fatal(err)
	}
	if got.Lang != "hi" || got.Base != "/de/" || got.IsLost || len(got.Forms) != 2 {
		t.Fatalf("got language %q, base %q, lost %v and %d forms", got.Lang, got.Base, got.IsLost, len(got.Forms))
	}
	f := got.Forms[0]
	if f.At != (Position{3, 8}) || f.ID != "f" || f.Method != "post" || !f.Posts || !f.HasAction || f.Encoding != "multipart/form-data" || f.IsHidden || f.Rebuilt != "" {
		t.Errorf("got form %+v", f)
	}
	if diff := cmp.Diff([]string{"/enquire", "/other"}, f.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if value, has := f.Attribute("data-netlify"); !has || value != "true" {
		t.Errorf("got attribute %q, %v", value, has)
	}
	want := []InventoryControl{
		{At: Position{4, 14}, Element: "input", Type: "text", Name: "name", IsShown: true, IsRequired: true, IsLabelled: true, Label: "Name"},
		{At: Position{5, 28}, Element: "input", Type: "tel", Name: "phone", IsShown: true, IsLabelled: true, Label: "Phone"},
		{At: Position{6, 2}, Element: "input", Type: "text", Name: "town", IsShown: true},
		{At: Position{7, 2}, Element: "select", Name: "plan", Options: []string{"", "A b"}, IsShown: true, IsMultiple: true},
		{At: Position{8, 9}, Element: "input", Type: "checkbox", Name: "ok", Value: "on", IsShown: true, IsLabelled: true},
		{At: Position{9, 2}, Element: "input", Type: "hidden", Name: "page", Value: "home"},
		{At: Position{9, 42}, Element: "input", Type: "file", Name: "bill", IsShown: true, IsLabelled: true, Label: "Bill"},
		{At: Position{10, 2}, Element: "button"},
		{At: Position{12, 1}, Element: "input", Type: "password", Name: "pw", IsShown: true, IsSecret: true, IsLabelled: true, Label: "Password"},
	}
	for i := range f.Controls {
		f.Controls[i].tag = nil
	}
	if diff := cmp.Diff(want, f.Controls, cmp.AllowUnexported(InventoryControl{})); diff != "" {
		t.Errorf("controls (-want +got):\n%s", diff)
	}
	if f := got.Forms[1]; !f.IsHidden || !f.Posts || f.Method != "" || f.HasAction || !cmp.Equal(f.Actions, []string{""}) || f.At != (Position{13, 13}) {
		t.Errorf("got form %+v", f)
	}
}

func TestInventoryOfUnreadablePages(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source string
		want   error
	}{
		"large":    {strings.Repeat("x", MaxSource+1), ErrTooLarge},
		"encoding": {"<form>\xff", ErrEncoding},
	} {
		if _, err := ReadInventory([]byte(tt.source), "text/html; charset=utf-8"); err != tt.want {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	got, err := ReadInventory([]byte("<form method=post><svg><p></svg><form>"), "")
	if err != nil || !got.IsLost {
		t.Errorf("wrong nesting: got %+v and error %v", got, err)
	}
}

func TestHasForm(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{"<p><FORM >": true, "<form": true, "<for": false, "form": false, "": false, "<p>a form</p>": false, "<<form>": true} {
		if got := HasForm([]byte(source)); got != want {
			t.Errorf("%q: got %v, want %v", source, got, want)
		}
	}
}

// Many pages have a label before a control without tying them.
func TestInventoryNearLabels(t *testing.T) {
	t.Parallel()
	const source = `<form><div><label>Your Name</label><input name=a></div><div><label>E-mail</label><span>@</span><input type=hidden name=h><input name=b></div>
<input name=c><label for=d>Tied</label><input name=e><input id=d name=d><label for=nothing>Loose</label><textarea name=f type=email></textarea><label>In <input name=g></label><input name=i></form>`
	got, err := ReadInventory([]byte(source), "text/html")
	if err != nil {
		t.Fatal(err)
	}
	near := make(map[string]string)
	for _, c := range got.Forms[0].Controls {
		if c.Near != "" {
			near[c.Name] = c.Near
		}
	}
	if kind := got.Forms[0].Controls[6].Type; kind != "" {
		t.Errorf("the type of a textarea is %q", kind)
	}
	if diff := cmp.Diff(map[string]string{"a": "Your Name", "b": "E-mail", "f": "Loose"}, near); diff != "" {
		t.Errorf("near labels (-want +got):\n%s", diff)
	}
}
