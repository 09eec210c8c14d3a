import Glibc
import Tape

/// One HTML file: no script, no network. Pictures are inline SVG stretched to their place, their words are HTML beside them, so that letters keep their size at any width;
/// behind every picture is a table of its data.
extension Report {
  package func page() -> String {
    var most = 2000
    while true {
      let s = Page(most).html(self)
      if s.utf8.count <= 1_000_000 || most <= 4 { return s }
      most /= 2
    }
  }
}

/// Colours that people tell apart who see red and green alike (Okabe & Ito), darker on white, lighter on black.
private let style = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5b6570;--line:#d5dae0;--soft:#f3f5f7;--s0:#0066a8;--s1:#c04f00;--s2:#00805b;--s3:#a8527f;--s4:#8a6d00;--s5:#3b83b8;--bad:#b3261e;--warn:#8a5a00;--good:#00694b}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e4e8ec;--dim:#98a3ae;--line:#343b43;--soft:#1d2227;--s0:#56b4e9;--s1:#f08c3a;--s2:#3cc49a;--s3:#e39bc4;--s4:#e0c040;--s5:#8fb8d8;--bad:#ff8a80;--warn:#f0b64a;--good:#55cfa3}}
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 16px}header{padding-top:28px}footer{padding:24px 16px 40px;color:var(--dim);font-size:13px}
h1{font-size:24px;line-height:1.25;margin:0 0 16px;font-weight:650}h2{font-size:18px;margin:40px 0 4px;font-weight:650}h3{font-size:14px;margin:24px 0 6px;font-weight:650}
p{margin:4px 0 8px;max-width:72ch}.dim{color:var(--dim)}
.verdict{list-style:none;margin:0;padding:0;display:grid;gap:8px}
.verdict li{border:1px solid var(--line);border-left:4px solid var(--dim);border-radius:4px;padding:10px 14px;background:var(--soft);display:grid;grid-template-columns:minmax(0,3fr) minmax(0,5fr) minmax(0,4fr);gap:4px 20px}
.verdict .error{border-left-color:var(--bad)}.verdict .warning{border-left-color:var(--warn)}.verdict .well{border-left-color:var(--good);display:block}
.verdict b{display:block}.verdict small{font-size:12px;color:var(--dim);display:block}.error .sev{color:var(--bad)}.warning .sev{color:var(--warn)}.sev{font-weight:650}
nav{margin:16px 0 0;font-size:14px;display:flex;flex-wrap:wrap;gap:2px 16px}a{color:var(--s0);text-decoration:none}a:hover{text-decoration:underline}
figure{margin:0 0 8px}.plot{display:grid;grid-template-columns:auto minmax(0,1fr);column-gap:8px;font-size:12px;color:var(--dim);font-variant-numeric:tabular-nums}
.yl{position:relative;height:240px;min-width:52px}.yl span{position:absolute;right:0;transform:translateY(-50%);white-space:nowrap}
.xl{position:relative;height:20px;grid-column:2}.xl span{position:absolute;transform:translateX(-50%);white-space:nowrap;top:2px}.xl .first{transform:none}.xl .last{transform:translateX(-100%)}
.unit{grid-column:2;text-align:center}.yu{grid-column:1/-1;margin-bottom:6px}
.plot svg{display:block;overflow:visible;width:100%;height:240px;background:var(--bg);border-left:1px solid var(--dim);border-bottom:1px solid var(--dim)}
.grid{stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke;fill:none}.curve{fill:none;stroke-width:1.75;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}.band{stroke:none;opacity:.2}.dot{fill:none;stroke-width:5;stroke-linecap:round;vector-effect:non-scaling-stroke}
.plot svg.span{height:14px;border:0}.span text{font-size:11px}.sp{grid-column:1;text-align:right}
.key{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px;margin:2px 0 6px}.key svg{width:18px;height:10px;vertical-align:middle;margin-right:6px}
.rows{display:grid;grid-template-columns:minmax(64px,auto) minmax(0,1fr) auto;gap:3px 10px;font-size:13px;align-items:center;font-variant-numeric:tabular-nums}.rows span:nth-child(3n+1){max-width:30vw;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.rows svg{width:100%;height:16px;display:block}.rows .v{text-align:right;color:var(--dim);white-space:nowrap}
.graph{width:100%;display:block;max-width:640px}.graph rect{fill:var(--soft);stroke:var(--dim)}.graph .bad rect{stroke:var(--bad);stroke-width:2}.graph text{font-size:12px;fill:var(--fg);text-anchor:middle}.graph .d{fill:var(--dim);font-size:11px}.graph line{stroke:var(--dim)}
.spy{display:block;width:100%;max-width:384px;border:1px solid var(--dim)}.spy rect{fill:var(--s0)}
details{margin:2px 0 14px;font-size:13px}summary{cursor:pointer;color:var(--dim)}.scroll{overflow-x:auto;max-height:420px;overflow-y:auto;margin-top:6px;border:1px solid var(--line);border-radius:4px}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}.wide{overflow-x:auto;margin:0 0 12px}th,td{text-align:left;padding:4px 10px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:normal}td.n,th.n{text-align:right;white-space:nowrap}th{font-weight:600;color:var(--dim);background:var(--bg);position:sticky;top:0}tr:last-child td{border-bottom:0}caption{text-align:left;font-weight:600;padding:8px 0}
@media(max-width:640px){.verdict li{grid-template-columns:minmax(0,1fr)}.yl{min-width:40px}.plot{column-gap:5px}body{font-size:15px}}
@media print{body{font-size:11px}.scroll{max-height:none;overflow:visible}details{break-inside:auto}figure,.verdict li{break-inside:avoid}nav{display:none}:root{--bg:#fff;--fg:#000;--dim:#444;--line:#ccc;--soft:#fff;--s0:#0066a8;--s1:#c04f00;--s2:#00805b}}
"""

private struct Page {
  /// Points of a series and rows of a table at most.
  let most: Int
  init(_ most: Int) { self.most = most }

  func html(_ r: Report) -> String {
    var s = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>" + e(r.title) + "</title><style>" + style + "</style></head>\n<body><header><h1>" + e(r.title) + "</h1>\n<ul class=\"verdict\">"
    if r.notices.isEmpty { s += "<li class=\"well\"><b>No findings</b>" + (r.sections.isEmpty ? "Nothing was examined." : "Nothing of what was examined calls for action.") + "</li>" }
    for n in r.notices {
      let name = Report.severityName(n.severity)
      s += "<li class=\"\(name)\"><div><small class=\"sev\">\(name)</small><b>" + e(n.kind) + "</b>" + (n.place.isEmpty ? "" : "<span>" + e(n.place) + "</span>") + "</div><div><small>Evidence</small>" + e(n.evidence) + "</div><div><small>Action</small>" + (n.advice.isEmpty ? "none needed" : e(n.advice)) + "</div></li>"
    }
    s += "</ul>"
    if r.sections.count > 1 {
      s += "<nav>"
      for (i, part) in r.sections.enumerated() { s += "<a href=\"#s\(i)\">" + e(part.title) + "</a>" }
      s += "</nav>"
    }
    s += "</header><main>\n"
    for (i, part) in r.sections.enumerated() {
      s += "<section id=\"s\(i)\"><h2>" + e(part.title) + "</h2>" + (part.note.isEmpty ? "" : "<p class=\"dim\">" + e(part.note) + "</p>") + "\n"
      for item in part.items {
        switch item {
        case .text(let t): s += "<p>" + e(t) + "</p>\n"
        case .table(let t):
          // Long ones are folded.
          s += t.rows.count > 12 ? "<details><summary>" + e(t.caption.isEmpty ? "Table" : t.caption) + " (\(t.rows.count) rows)</summary><div class=\"scroll\">" + table("", t.columns, t.rows) + "</div></details>\n"
            : "<div class=\"wide\">" + table(t.caption, t.columns, t.rows) + "</div>\n"
        case .chart(let c): s += figure(c)
        case .graph(let g): s += graph(g)
        case .spy(let p): s += spy(p)
        }
      }
      s += "</section>\n"
    }
    return s + "</main><footer>Written by Camber. Hover and tables give all digits that are shown; the JSON form has every number.</footer></body></html>\n"
  }

  func e(_ s: String) -> String {
    var out = ""
    for u in printable(s).unicodeScalars {
      switch u {
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "&": out += "&amp;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.unicodeScalars.append(u)
      }
    }
    return out
  }

  func table(_ caption: String, _ columns: [String], _ rows: [[Report.Cell]]) -> String {
    var s = "<table>" + (caption.isEmpty ? "" : "<caption>" + e(caption) + "</caption>") + "<thead><tr>"
    for (i, c) in columns.enumerated() {
      var isNumber = false
      if let first = rows.first, i < first.count, case .number = first[i] { isNumber = true }
      s += (isNumber ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">") + e(c) + "</th>"
    }
    s += "</tr></thead><tbody>"
    for r in rows.prefix(most) {
      s += "<tr>"
      for c in r {
        switch c {
        case .text(let t): s += "<td>" + e(t) + "</td>"
        case .number(let x):
          let brief = digits6(x), full = "\(x)"
          s += brief == full ? "<td class=\"n\">" + brief + "</td>" : "<td class=\"n\"><data value=\"\(full)\">" + brief + "</data></td>"
        case .none: s += "<td></td>"
        }
      }
      s += "</tr>"
    }
    s += "</tbody></table>"
    if rows.count > most { s += "<p class=\"dim\">The first \(most) of \(rows.count) rows; the JSON form has all.</p>" }
    return s
  }
  private func behind(_ columns: [String], _ rows: [[Report.Cell]]) -> String { "<details><summary>Data (\(rows.count) rows)</summary><div class=\"scroll\">" + table("", columns, rows) + "</div></details>\n" }

  // MARK: charts

  func figure(_ c: Report.Chart) -> String {
    var s = "<figure><h3>" + e(c.title) + "</h3>"
    if c.series.count > 1 { s += key(c) }
    s += c.kind == .rows ? rows(c) : plot(c)
    s += "</figure>\n"
    return s + data(c)
  }
  private func key(_ c: Report.Chart) -> String {
    var s = "<div class=\"key\">"
    for (i, one) in c.series.enumerated() { s += "<span><svg aria-hidden=\"true\"><path d=\"M1 5H17\" stroke=\"var(--s\(i % 6))\" stroke-width=\"3\"\(dash(i))/></svg>" + e(one.name) + "</span>" }
    return s + "</div>"
  }
  private func dash(_ i: Int) -> String { i < 6 ? "" : " stroke-dasharray=\"4 3\"" }

  private func data(_ c: Report.Chart) -> String {
    if c.kind == .rows {
      return behind([c.x.isEmpty ? "name" : c.x] + c.series.map { $0.name.isEmpty ? c.y : $0.name }, c.names.indices.map { i in [.text(c.names[i])] + c.series.map { i < $0.y.count ? .number($0.y[i]) : .none } })
    }
    let banded = c.series.contains { !$0.low.isEmpty }, several = c.series.count > 1
    var rows: [[Report.Cell]] = []
    for one in c.series {
      for i in one.y.indices {
        var r: [Report.Cell] = several ? [.text(one.name)] : []
        r += [.number(i < one.x.count ? one.x[i] : Double(i)), .number(one.y[i])]
        if banded { r += i < one.low.count && i < one.high.count ? [.number(one.low[i]), .number(one.high[i])] : [.none, .none] }
        rows.append(r)
      }
    }
    return behind((several ? ["series"] : []) + [c.x.isEmpty ? "x" : c.x, c.y.isEmpty ? "y" : c.y] + (banded ? ["low", "high"] : []), rows)
  }

  /// Values by name: a bar from 0 (a dot of a logarithm), one row a name and series.
  private func rows(_ c: Report.Chart) -> String {
    var values: [Double] = []
    for one in c.series { values += one.y.filter { $0.isFinite && (!c.logY || $0 > 0) } }
    let a = Axis(values + (c.logY ? [] : [0]), log: c.logY)
    var s = (c.y.isEmpty ? "" : "<div class=\"dim\">" + e(c.y) + (c.logY ? ", logarithmic from \(digits6(a.back(a.low))) to \(digits6(a.back(a.high)))" : "") + "</div>") + "<div class=\"rows\">"
    for i in c.names.indices.prefix(most) {
      for (k, one) in c.series.enumerated() where i < one.y.count {
        let y = one.y[i], name = e(c.names[i])
        s += "<span title=\"\(name)\">" + (k == 0 ? name : "") + "</span><svg role=\"img\" aria-label=\"\(digits6(y))\">"
        if let p = a.place(y) {
          if c.logY { s += "<line x1=\"0\" x2=\"100%\" y1=\"8\" y2=\"8\" class=\"grid\"/><circle r=\"4\" cy=\"8\" cx=\"\(f(1 + 98 * p))%\" fill=\"var(--s\(k % 6))\"/>" } else {
            let zero = a.place(0) ?? 0
            s += "<rect y=\"2\" height=\"12\" x=\"\(f(100 * min(p, zero)))%\" width=\"\(f(max(100 * abs(p - zero), 0.2)))%\" fill=\"var(--s\(k % 6))\"/>"
          }
        }
        s += "</svg><span class=\"v\">" + digits6(y) + "</span>"
      }
    }
    return s + "</div>"
  }

  private func plot(_ c: Report.Chart) -> String {
    var xs: [Double] = [], ys: [Double] = [], count = 0
    for one in c.series {
      for i in one.y.indices {
        let x = i < one.x.count ? one.x[i] : Double(i)
        guard x.isFinite, one.y[i].isFinite, !c.logX || x > 0, !c.logY || one.y[i] > 0 else { continue }
        xs.append(x)
        ys.append(one.y[i])
        count += 1
        if i < one.low.count, one.low[i].isFinite, !c.logY || one.low[i] > 0 { ys.append(one.low[i]) }
        if i < one.high.count, one.high[i].isFinite, !c.logY || one.high[i] > 0 { ys.append(one.high[i]) }
      }
    }
    guard count > 0 else { return "<p class=\"dim\">Nothing here is finite\(c.logX || c.logY ? " and positive" : "").</p>" }
    if c.kind == .steps {
      ys.append(0)
      xs.append((xs.max() ?? 0) + 1)
      for s in c.spans where s.name == "f16" { xs += [s.low, s.high] }
    }
    let ax = Axis(xs, log: c.logX, tight: true), ay = Axis(ys, log: c.logY)
    var s = "<div class=\"plot\">" + (c.y.isEmpty ? "" : "<div class=\"yu\">" + e(c.y) + "</div>") + "<div class=\"yl\" aria-hidden=\"true\">"
    for (v, t) in ay.ticks { s += "<span style=\"top:\(f(100 - 100 * v))%\">\(t)</span>" }
    s += "</div><svg viewBox=\"0 0 1000 240\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + e(c.title) + "\">"
    s += "<path class=\"grid\" d=\""
    for (v, _) in ay.ticks { s += "M0 \(f(240 - 240 * v))H1000" }
    for (v, _) in ax.ticks { s += "M\(f(1000 * v)) 0V240" }
    s += "\"/>"
    for (k, one) in c.series.enumerated() { s += curve(c, one, k, ax, ay) }
    s += "</svg><div class=\"xl\" aria-hidden=\"true\">"
    for (v, t) in ax.ticks { s += "<span style=\"left:\(f(100 * v))%\"\(v < 0.04 ? " class=\"first\"" : v > 0.96 ? " class=\"last\"" : "")>\(t)</span>" }
    s += "</div>"
    for p in c.spans {
      guard let a = ax.clamped(p.low), let b = ax.clamped(p.normal), let d = ax.clamped(p.high), d > a else { continue }
      s += "<div class=\"sp\">" + e(p.name) + "</div><svg class=\"span\" role=\"img\" aria-label=\"range of " + e(p.name) + "\"><rect y=\"5\" height=\"4\" x=\"\(f(100 * a))%\" width=\"\(f(100 * (b - a)))%\" fill=\"var(--s1)\" opacity=\".6\"/><rect y=\"3\" height=\"8\" x=\"\(f(100 * b))%\" width=\"\(f(100 * (d - b)))%\" fill=\"var(--s2)\" opacity=\".6\"/></svg>"
    }
    return s + (c.x.isEmpty ? "" : "<div class=\"unit\">" + e(c.x) + (c.spans.isEmpty ? "" : " (bars: normal numbers of a format; thin: subnormal)") + "</div>") + "</div>"
  }

  private func curve(_ c: Report.Chart, _ one: Report.Series, _ k: Int, _ ax: Axis, _ ay: Axis) -> String {
    let color = "var(--s\(k % 6))"
    // Points to show: each, or the extremes of each of `most` runs.
    var shown: [Int] = []
    let n = one.y.count
    if n <= most { shown = Array(0 ..< n) } else {
      for b in 0 ..< most / 2 {
        let from = b * n / (most / 2), to = (b + 1) * n / (most / 2)
        var low = from, high = from
        for i in from ..< to {
          if one.y[i] < one.y[low] { low = i }
          if one.y[i] > one.y[high] { high = i }
        }
        shown += low == high ? [low] : [min(low, high), max(low, high)]
      }
    }
    func at(_ i: Int) -> Double? { ax.place(i < one.x.count ? one.x[i] : Double(i)).map { 1000 * $0 } }
    func up(_ y: Double) -> Double? { ay.place(y).map { 240 - 240 * $0 } }
    var s = ""
    if !one.low.isEmpty {
      var there = "", back: [String] = []
      for i in shown where i < one.low.count && i < one.high.count {
        guard let x = at(i), let h = ay.clamped(one.high[i]), let l = ay.clamped(one.low[i]) else { continue }
        there += (there.isEmpty ? "M" : "L") + f(x) + " " + f(240 - 240 * h)
        back.append("L" + f(x) + " " + f(240 - 240 * l))
      }
      if !there.isEmpty { s += "<path class=\"band\" fill=\"\(color)\" d=\"" + there + back.reversed().joined() + "Z\"/>" }
    }
    var d = "", isOpen = false
    if c.kind == .steps {
      let base = up(0) ?? 240
      for i in shown {
        guard let x = at(i), let next = ax.place((i < one.x.count ? one.x[i] : Double(i)) + 1), let y = up(one.y[i]) else { continue }
        d += "M\(f(x)) \(f(base))V\(f(y))H\(f(1000 * next))V\(f(base))Z"
      }
      return s + "<path fill=\"\(color)\" fill-opacity=\".75\" stroke=\"none\" d=\"" + d + "\"/>"
    }
    for i in shown {
      guard let x = at(i), let y = up(one.y[i]) else {
        isOpen = false
        continue
      }
      d += c.kind == .dots ? "M\(f(x)) \(f(y))h0" : (isOpen ? "L" : "M") + f(x) + " " + f(y)
      isOpen = true
    }
    s += "<path class=\"\(c.kind == .dots ? "dot" : "curve")\" stroke=\"\(color)\"\(dash(k)) d=\"" + d + "\"/>"
    // Few points are points.
    if c.kind == .line, n <= 40 {
      d = ""
      for i in shown { if let x = at(i), let y = up(one.y[i]) { d += "M\(f(x)) \(f(y))h0" } }
      s += "<path class=\"dot\" stroke=\"\(color)\" d=\"" + d + "\"/>"
    }
    return s
  }

  // MARK: graphs and patterns

  /// Layers from the left-most ancestor down; words keep their size, places are shares of the width.
  private func graph(_ g: Report.Graph) -> String {
    let n = g.labels.count
    var depth = [Int](repeating: 0, count: n)
    for _ in 0 ..< min(n, 200) { for x in g.edges where depth[x.to] <= depth[x.from] && x.from != x.to { depth[x.to] = min(depth[x.from] + 1, n) } }
    let levels = (depth.max() ?? 0) + 1
    var slot = [Int](repeating: 0, count: n), size = [Int](repeating: 0, count: levels)
    for i in 0 ..< n {
      slot[i] = size[depth[i]]
      size[depth[i]] += 1
    }
    let height = levels * 74 - 18
    func middle(_ i: Int) -> Double { 100 * (Double(slot[i]) + 0.5) / Double(size[depth[i]]) }
    var s = "<figure><h3>" + e(g.title) + "</h3><svg class=\"graph\" height=\"\(height)\" role=\"img\" aria-label=\"" + e(g.title) + "\">"
    for x in g.edges { s += "<line x1=\"\(f(middle(x.from)))%\" y1=\"\(depth[x.from] * 74 + 50)\" x2=\"\(f(middle(x.to)))%\" y2=\"\(depth[x.to] * 74 + 4)\"/>" }
    for i in 0 ..< n {
      let w = min(92.0 / Double(size[depth[i]]), 70), room = max(Int(300 * w / 100 / 7), 4), y = depth[i] * 74 + 4
      func cut(_ t: String) -> String { e(t.count > room ? String(t.prefix(room - 1)) + "…" : t) }
      s += "<g\(i == g.origin ? " class=\"bad\"" : "")><title>" + e(g.labels[i] + (g.details[i].isEmpty ? "" : "\n" + g.details[i])) + "</title><rect x=\"\(f(middle(i) - w / 2))%\" y=\"\(y)\" width=\"\(f(w))%\" height=\"46\" rx=\"4\"/><text x=\"\(f(middle(i)))%\" y=\"\(y + (g.details[i].isEmpty ? 27 : 19))\">" + cut(g.labels[i]) + "</text>" + (g.details[i].isEmpty ? "" : "<text class=\"d\" x=\"\(f(middle(i)))%\" y=\"\(y + 36)\">" + cut(g.details[i]) + "</text>") + "</g>"
    }
    s += "</svg></figure>"
    return s + behind(["node", "detail", "from"], (0 ..< n).map { i in [.text(g.labels[i]), .text(g.details[i]), .text(g.edges.filter { $0.to == i }.map { g.labels[$0.from] }.joined(separator: ", "))] })
  }

  private func spy(_ p: Report.Spy) -> String {
    let full = max(p.counts.max() ?? 1, 1)
    var s = "<figure><h3>" + e(p.title) + "</h3><p class=\"dim\">\(p.rows) rows, \(p.columns) columns, \(p.total) entries\(p.grid > 1 ? "; a cell is \(p.grid) x \(p.grid) places" : "").</p><svg class=\"spy\" viewBox=\"0 0 \(p.across) \(p.down)\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"" + e(p.title) + "\">"
    var rows: [[Report.Cell]] = []
    for r in 0 ..< p.down {
      for c in 0 ..< p.across {
        let k = p.counts[r * p.across + c]
        if k == 0 { continue }
        let o = p.grid == 1 ? 1 : 0.25 + 0.75 * Double(k) / Double(full)
        s += "<rect x=\"\(c)\" y=\"\(r)\" width=\"1\" height=\"1\"\(o < 1 ? " opacity=\"\(f(o))\"" : "")/>"
        rows.append([.number(Double(r * p.grid)), .number(Double(c * p.grid)), .number(Double(k))])
      }
    }
    return s + "</svg></figure>" + behind(["row", "column", "entries"], rows)
  }
}

/// Two digits behind the point.
private func f(_ x: Double) -> String {
  let v = (x * 100).rounded() / 100
  guard abs(v) < 1e9 else { return "0" }
  return v == v.rounded() ? String(Int(v)) : "\(v)"
}

/// A range with room, and ticks at 1, 2, 5 times powers of ten (of a logarithm: at whole powers).
private struct Axis {
  let isLog: Bool
  private(set) var low = 0.0, high = 1.0
  private(set) var ticks: [(Double, String)] = []

  init(_ values: [Double], log isLog: Bool, tight: Bool = false) {
    self.isLog = isLog
    let v = (isLog ? values.map { log10($0) } : values).filter(\.isFinite)
    var a = v.min() ?? 0, b = v.max() ?? 1
    if a == b {
      let room = isLog ? 0.5 : max(abs(a) * 0.1, 1e-300)
      (a, b) = a == 0 && !isLog ? (-1, 1) : (a - room, b + room)
    }
    let span = b - a
    if !span.isFinite { (a, b) = (max(a, -8e307), min(b, 8e307)) } else if !tight {
      if a != 0 || isLog { a -= 0.05 * span }
      if b != 0 || isLog { b += 0.05 * span }
    }
    (low, high) = (a, b)
    if isLog { decades() } else { linear() }
  }
  private mutating func decades() {
    let from = Int(low.rounded(.up)), to = Int(high.rounded(.down))
    guard from <= to, to - from > 0 else {
      // Less than two powers of ten: three values between.
      for k in 0 ... 2 {
        let t = low + (high - low) * (0.1 + 0.4 * Double(k))
        ticks.append(((t - low) / (high - low), rounded(pow(10, t), 3)))
      }
      return
    }
    let step = max((to - from + 5) / 6, 1)
    var k = from
    while k <= to {
      ticks.append(((Double(k) - low) / (high - low), k >= -2 && k <= 4 ? digits6(pow(10, Double(k))) : "10" + raised(k)))
      k += step
    }
  }
  private func raised(_ k: Int) -> String {
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    var s = k < 0 ? "⁻" : ""
    for d in String(abs(k)).utf8 { s.append(digits[Int(d) - 48]) }
    return s
  }
  private mutating func linear() {
    let raw = (high - low) / 5, power = pow(10, log10(raw).rounded(.down)), m = raw / power
    let step = power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10)
    guard step.isFinite, step > 0 else { return }
    var k = (low / step).rounded(.up)
    while k * step <= high * (high > 0 ? 1 + 1e-12 : 1 - 1e-12), ticks.count < 12 {
      let x = k * step
      ticks.append(((x - low) / (high - low), rounded(abs(x) < step / 2 ? 0 : x, 6) == "0" ? "0" : digits6(abs(x) < step / 2 ? 0 : Double(rounded(x, 10)) ?? x)))
      k += 1
    }
  }
  /// From 0 to 1; nil: no place.
  func place(_ x: Double) -> Double? {
    let v = isLog ? (x > 0 ? log10(x) : .nan) : x
    guard v.isFinite else { return nil }
    return (v / (high - low) - low / (high - low))
  }
  func clamped(_ x: Double) -> Double? {
    if x.isNaN { return nil }
    if x == .infinity { return 1 }
    if x == -.infinity || isLog && x <= 0 { return 0 }
    return place(x).map { min(max($0, 0), 1) }
  }
  func back(_ v: Double) -> Double { isLog ? pow(10, v) : v }
}
