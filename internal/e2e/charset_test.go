package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// Posts from a page in a legacy encoding arrive as typed, both in TeleCRM and on the page that is
// shown again.
func TestFormsInLegacyEncodings(t *testing.T) {
	dir := t.TempDir()
	const source = `<!DOCTYPE html><html lang=en><head>META<title>T</title></head><form method=post action=FORM><input name=name><input name=phone></form></html>`
	const block = " {\nfield name\nfield phone\nrate_limit off\nthank_you /thanks\n}\n"
	site := "root " + dir + "\n"
	type page struct{ name, meta, encoding, typed string }
	pages := []page{
		{"header", "", "big5", "陳大文"},
		{"accepting", "<form accept-charset=EUC-KR></form>", "euc-kr", "홍길동"},
		{"western", "<meta charset=windows-1252>", "windows-1252", "José Núñez – Paris"},
		{"japanese", `<meta http-equiv=Content-Type content="text/html; charset=Shift_JIS">`, "shift_jis", "表示ソフト"},
		{"chinese", "<meta charset=gb2312>", "gbk", "张三"},
		{"polish", "<meta charset=iso-8859-2>", "iso-8859-2", "Łukasz Żółć"},
		{"undeclared", "", "windows-1252", "Renée"},
		{"browser", "", "windows-1251", "Её Анна"},
	}
	for _, p := range pages {
		filled := strings.NewReplacer("META", p.meta, "FORM", "/"+p.name).Replace(source)
		if err := os.WriteFile(filepath.Join(dir, p.name+".html"), []byte(filled), 0o600); err != nil {
			t.Fatal(err)
		}
		site += "telecrm /" + p.name + block
	}
	s := serve(t, site+"header /header >Content-Type \"text/html; charset=big5\"\ntry_files {path}.html\nfile_server")
	for i, p := range pages {
		encoding, err := htmlindex.Get(p.encoding)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := encoding.NewEncoder().String(p.typed)
		if err != nil {
			t.Fatal(err)
		}
		values := url.Values{"name": {raw}, "phone": {"12"}}
		if p.name == "browser" {
			values.Set("_charset_", p.encoding)
		}
		if got := s.post(t, "/"+p.name, values); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `value="`+p.typed+`"`) {
			t.Errorf("%s: status %d; the page does not contain what was typed:\n%s", p.name, got.status, got.body)
		}
		values.Set("phone", "0812345678"+string(rune('0'+i)))
		if got := s.post(t, "/"+p.name, values); got.status != http.StatusSeeOther {
			t.Errorf("%s: status %d: %s", p.name, got.status, got.body)
		}
	}
	typed := make(map[any]bool)
	for _, lead := range s.crm.Leads() {
		typed[lead.Fields["name"]] = true
	}
	for _, p := range pages {
		if !typed[p.typed] {
			t.Errorf("%s: TeleCRM did not get %q; it got %v", p.name, p.typed, typed)
		}
	}
	if count := strings.Count(s.Log(), "the form is not sent in UTF-8"); count != len(pages) {
		t.Errorf("the log says %d times that a form is not in UTF-8, want once for each of %d forms", count, len(pages))
	}
}
