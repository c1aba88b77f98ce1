package check

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Edits keep everything else in a line as it is, and what is not as expected stays.
func TestEdits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line, want string
		edit       edit
	}{
		"word":                     {"\tfield mesage {\n", "\tfield message {\n", edit{old: "mesage", by: "message"}},
		"word with an input":       {"\tfield mesage\n", "\tfield message mesage\n", edit{old: "mesage", by: "message mesage"}},
		"not a part of a word":     {"\tfield mesages mesage\n", "\tfield mesages message\n", edit{old: "mesage", by: "message"}},
		"quoted":                   {"\toptions \"to costly\" x\n", "\toptions \"Too costly\" x\n", edit{old: "to costly", by: `"Too costly"`}},
		"in backquotes":            {"\toptions `to costly`\n", "\toptions \"Too costly\"\n", edit{old: "to costly", by: `"Too costly"`}},
		"not the first word":       {"\tfield field\n", "\tfield message\n", edit{old: "field", by: "message"}},
		"removed":                  {"\ton_duplicate update product message\r\n", "\ton_duplicate update message\r\n", edit{old: "product"}},
		"not there":                {"\tfield phone\n", "\tfield phone\n", edit{old: "mesage", by: "message"}},
		"comment":                  {"\tfield mesage # mesage\n", "\tfield message # mesage\n", edit{old: "mesage", by: "message"}},
		"new attribute":            {"\t<form action=/x>\n", "\t<form method=\"post\" action=/x>\n", edit{attribute: "method", value: "post"}},
		"attribute":                {"\t<form METHOD = 'get' action=/x>\n", "\t<form method=\"post\" action=/x>\n", edit{attribute: "method", value: "post"}},
		"unquoted":                 {"\t<form method=get>\n", "\t<form method=\"post\">\n", edit{attribute: "method", value: "post"}},
		"without a value":          {"\t<input maxlength name=a>\n", "\t<input maxlength=\"7\" name=a>\n", edit{attribute: "maxlength", value: "7"}},
		"not within a value":       {"\t<input placeholder=\" name=x\" required>\n", "\t<input name=\"a\" placeholder=\" name=x\" required>\n", edit{attribute: "name", value: "a"}},
		"not a part of a name":     {"\t<input data-name=x>\n", "\t<input name=\"a\" data-name=x>\n", edit{attribute: "name", value: "a"}},
		"boolean":                  {"\t<input/>\n", "\t<input required/>\n", edit{attribute: "required"}},
		"boolean that is there":    {"\t<input required>\n", "\t<input required>\n", edit{attribute: "required"}},
		"escaped":                  {"\t<input>\n", "\t<input name=\"a&#34;&lt;\">\n", edit{attribute: "name", value: `a"<`}},
		"attribute of a later tag": {"\t<input><p name=x>\n", "\t<input name=\"a\"><p name=x>\n", edit{attribute: "name", value: "a"}},
		"on another line":          {"\t<form\n action=/x\n method=get>\n", "\t<form\n action=/x\n method=\"post\">\n", edit{attribute: "method", value: "post"}},
		"over two lines":           {"\t<form action='\n'>\n", "\t<form action='\n'>\n", edit{attribute: "action", value: "/x"}},
		"not a tag":                {"\tform\n", "\tform\n", edit{attribute: "method", value: "post"}},
		"cut off":                  {"\t<form", "\t<form", edit{attribute: "method", value: "post"}},
	} {
		tt.edit.place = Place{"a", 2, 2}
		lines := strings.SplitAfter("é\n"+tt.line, "\n")
		bytes := make([][]byte, len(lines))
		for i, line := range lines {
			bytes[i] = []byte(line)
		}
		tt.edit.apply(bytes)
		got := ""
		for _, line := range bytes {
			got += string(line)
		}
		if got != "é\n"+tt.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestPatchAsDiff(t *testing.T) {
	t.Parallel()
	r := newReport()
	r.fixes = true
	for _, line := range []int{2, 3, 9, 30, 30, 99} {
		r.fix(edit{place: Place{"b", line, 1}, attribute: "x"})
	}
	r.fix(edit{place: Place{"gone", 1, 1}, attribute: "x"})
	r.fix(edit{place: Place{"bad", 1, 1}, attribute: "x"})
	content := strings.Repeat("<a>\n", 29) + "<a>"
	patch, changes := r.Patch(func(file string) ([]byte, error) {
		switch file {
		case "gone":
			return nil, os.ErrNotExist
		case "bad":
			return []byte("<a> \xff\n"), nil
		}
		return []byte(content), nil
	}, func(file string) string { return "dir/" + file })
	const want = `--- a/dir/b
+++ b/dir/b
@@ -1,12 +1,12 @@
 <a>
-<a>
-<a>
+<a x>
+<a x>
 <a>
 <a>
 <a>
 <a>
 <a>
-<a>
+<a x>
 <a>
 <a>
 <a>
@@ -27,4 +27,4 @@
 <a>
 <a>
 <a>
-<a>
\ No newline at end of file
+<a x>
\ No newline at end of file
`
	if diff := cmp.Diff(want, string(patch)); diff != "" || changes != 4 {
		t.Errorf("%d changes (-want +got):\n%s", changes, diff)
	}
	if diff := cmp.Diff([]string{"b", "bad", "gone"}, r.Fixable()); diff != "" {
		t.Error(diff)
	}
	if patch, changes := newReport().Patch(func(string) ([]byte, error) { return nil, errors.New("read") }, nil); len(patch)+changes > 0 {
		t.Errorf("got %q", patch)
	}
}

// A Caddyfile may hold secrets, of this plugin and of others, and a patch is passed around. So it shows
// the lines that it changes, and no other line of the config.
func TestPatchShowsNoOtherLineOfConfig(t *testing.T) {
	t.Parallel()
	r := newReport()
	r.fixes = true
	for _, line := range []int{2, 5, 6} {
		r.fix(edit{place: Place{"Caddyfile", line, 1}, old: "nam", by: "name"})
	}
	const content = "token s3cret\nfield nam\nasync_token s3cret\ndns example s3cret\nfield nam\noptions nam\nsecret s3cret\n"
	patch, changes := r.Patch(func(string) ([]byte, error) { return []byte(content), nil }, func(file string) string { return file })
	const want = `--- a/Caddyfile
+++ b/Caddyfile
@@ -2,1 +2,1 @@
-field nam
+field name
@@ -5,2 +5,2 @@
-field nam
-options nam
+field name
+options name
`
	if diff := cmp.Diff(want, string(patch)); diff != "" || changes != 3 {
		t.Errorf("%d changes (-want +got):\n%s", changes, diff)
	}
}
