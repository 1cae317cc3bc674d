def table(found): 
    import statistics
    return "\n".join(f"{r.name:25} {r.store:10} {r.what:16} {statistics.median(r.values):10,.2f} {r.unit}" for r in found.rows)+"\n"+"\n".join(f"{t.name} {t.sense} {t.asked}: {t.reached}" for t in found.targets)
def main(): pass
