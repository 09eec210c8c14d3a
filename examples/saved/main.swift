// Loads what main.py saved, a trained network with its derivatives, and runs it.
import Camber
import Glibc

let file = try Archive(path: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "saved.camber")
print("functions", file.functions.joined(separator: " "))
print("about", file.note("about") ?? "")

func hex(_ v: Double) -> String {
  withVaList([v]) { list in
    var line = [CChar](repeating: 0, count: 64)
    vsnprintf(&line, line.count, "%a", list)
    return String(cString: line)
  }
}
let value = try file.program("value"), slope = try file.program("grad"), curvature = try file.program("hessian")
for (shown, x) in [("-0.50", -0.5), ("0.00", 0.0), ("0.75", 0.75)] {
  print(shown, hex(try value([[x]])[0][0]), hex(try slope([[x]])[0][0]), hex(try curvature([[x]])[0][0]))
}
